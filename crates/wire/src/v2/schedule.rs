//! A job's schedule (documents: `HumanReadableSchedule` and its date and time strategies).

use std::str::FromStr as _;

use croner::Cron;
use domain::{
    Timestamp,
    job::{Schedule, ScheduleDate, ScheduleTime},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Patch, invalid::Collector};

/// When a job runs by itself, in UTC.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobSchedule {
    /// Five fields, made from date and time.
    pub cron: String,
    /// On which days.
    pub date: JobScheduleDate,
    /// At which hours of them.
    pub time: JobScheduleTime,
}

/// On which days.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobScheduleDate {
    /// `every_day`, `days_of_week`, `custom_cron` or `interval_cron`.
    pub r#type: String,
    /// With `days_of_week`: 0 (Sunday) to 6.
    pub days: Option<Vec<u8>>,
    /// With `custom_cron` and `interval_cron`: five fields.
    pub cron: Option<String>,
}

/// At which hours.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobScheduleTime {
    /// `every_hour` or `at_exact_hours`.
    pub r#type: String,
    /// With `at_exact_hours`: 0 to 23.
    pub hours: Option<Vec<u8>>,
    /// With `every_hour`: every so many hours, 1 to 24.
    pub interval: Option<u8>,
}

impl From<&Schedule> for JobSchedule {
    fn from(schedule: &Schedule) -> Self {
        let (date, days, date_cron) = match &schedule.date {
            ScheduleDate::EveryDay => ("every_day", None, None),
            ScheduleDate::DaysOfWeek(days) => ("days_of_week", Some(days.clone()), None),
            ScheduleDate::CustomCron(cron) => ("custom_cron", None, Some(cron.clone())),
            ScheduleDate::IntervalCron(cron) => ("interval_cron", None, Some(cron.clone())),
        };
        let (time, hours, interval) = match &schedule.time {
            ScheduleTime::EveryHour(interval) => ("every_hour", None, Some(*interval)),
            ScheduleTime::AtExactHours(hours) => ("at_exact_hours", Some(hours.clone()), None),
        };
        Self {
            cron: schedule.cron(),
            date: JobScheduleDate { r#type: date.to_owned(), days, cron: date_cron },
            time: JobScheduleTime { r#type: time.to_owned(), hours, interval },
        }
    }
}

/// The schedule in words, such as `At minute 0, past every 4th hour`; its five fields where there
/// are none.
pub(super) fn in_words(schedule: &Schedule) -> String {
    let cron = schedule.cron();
    Cron::from_str(&cron).map_or(cron, |parsed| parsed.describe())
}

/// A schedule in a body. `cron` counts where `date` does not say it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobScheduleBody {
    /// Five fields.
    #[schema(value_type = Option<String>)]
    pub cron: Patch<String>,
    /// On which days.
    #[schema(value_type = Option<JobScheduleDateBody>)]
    pub date: Patch<JobScheduleDateBody>,
    /// At which hours of them; every hour unless given.
    #[schema(value_type = Option<JobScheduleTimeBody>)]
    pub time: Patch<JobScheduleTimeBody>,
}

/// On which days, in a body.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobScheduleDateBody {
    /// `every_day`, `days_of_week`, `custom_cron` or `interval_cron`; required.
    pub r#type: Option<String>,
    /// 0 (Sunday) to 6; required with `days_of_week`, ignored elsewhere.
    pub days: Option<Vec<i64>>,
    /// Five fields; required with `custom_cron` and `interval_cron`, ignored elsewhere.
    pub cron: Option<String>,
}

/// At which hours, in a body.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobScheduleTimeBody {
    /// `every_hour` or `at_exact_hours`; required.
    pub r#type: Option<String>,
    /// 0 to 23; required with `at_exact_hours`, ignored elsewhere.
    pub hours: Option<Vec<i64>>,
    /// 1 to 24, and 1 unless given; ignored with `at_exact_hours`.
    pub interval: Option<i64>,
}

impl JobScheduleBody {
    /// What the body says of date and time; `None` keeps what is there.
    pub(super) fn read(self, bad: &mut Collector) -> (Option<ScheduleDate>, Option<ScheduleTime>) {
        let cron = self.cron.value();
        let date = match (self.date.value(), cron) {
            (Some(date), cron) => date.read(cron, bad),
            (None, Some(text)) => {
                bad.take("schedule.cron", cron_of(text)).map(ScheduleDate::CustomCron)
            }
            (None, None) => None,
        };
        (date, self.time.value().and_then(|time| time.read(bad)))
    }
}

impl JobScheduleDateBody {
    fn read(self, beside: Option<String>, bad: &mut Collector) -> Option<ScheduleDate> {
        let cron = || {
            self.cron
                .or(beside)
                .ok_or_else(|| "is required with this type".to_owned())
                .and_then(cron_of)
        };
        let field = "schedule.date.cron";
        match self.r#type.as_deref() {
            Some("every_day") => Some(ScheduleDate::EveryDay),
            Some("days_of_week") => bad
                .take("schedule.date.days", numbers(self.days, 0, 6))
                .map(ScheduleDate::DaysOfWeek),
            Some("custom_cron") => bad.take(field, cron()).map(ScheduleDate::CustomCron),
            Some("interval_cron") => bad.take(field, cron()).map(ScheduleDate::IntervalCron),
            _ => {
                let types = "must be every_day, days_of_week, custom_cron or interval_cron";
                bad.take("schedule.date.type", Err(types))
            }
        }
    }
}

impl JobScheduleTimeBody {
    fn read(self, bad: &mut Collector) -> Option<ScheduleTime> {
        match self.r#type.as_deref() {
            Some("every_hour") => {
                let interval = number(self.interval.unwrap_or(1), 1, 24);
                bad.take("schedule.time.interval", interval).map(ScheduleTime::EveryHour)
            }
            Some("at_exact_hours") => bad
                .take("schedule.time.hours", numbers(self.hours, 0, 23))
                .map(ScheduleTime::AtExactHours),
            _ => bad.take("schedule.time.type", Err("must be every_hour or at_exact_hours")),
        }
    }
}

fn number(number: i64, least: u8, most: u8) -> Result<u8, String> {
    u8::try_from(number)
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

fn numbers(list: Option<Vec<i64>>, least: u8, most: u8) -> Result<Vec<u8>, String> {
    let wrong = || format!("must be a list of different whole numbers from {least} to {most}");
    let mut read: Vec<u8> = Vec::new();
    for value in list.unwrap_or_default() {
        let value = number(value, least, most).map_err(|_| wrong())?;
        if read.contains(&value) {
            return Err(wrong());
        }
        read.push(value);
    }
    if read.is_empty() { Err(wrong()) } else { Ok(read) }
}

/// Five fields that name a time that comes: `0 0 31 2 *` names none.
fn cron_of(text: String) -> Result<String, String> {
    let fields = text.split_whitespace().count();
    if fields != 5 || text.len() > 255 || text.chars().any(char::is_control) {
        return Err("must have the five fields of cron".to_owned());
    }
    let cron = Cron::from_str(&text)
        .map_err(|error| format!("must be cron: {}", error.to_string().to_lowercase()))?;
    let any_day = Timestamp::from_micros(0).map(Timestamp::as_datetime).unwrap_or_default();
    match cron.find_next_occurrence(&any_day, true) {
        Ok(_) => Ok(text),
        Err(_) => Err("must be cron that names a time which comes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Invalid;

    fn read(json: &str) -> Result<Schedule, Invalid> {
        let body: JobScheduleBody = crate::from_json(json.as_bytes())?;
        let mut bad = Invalid::collector();
        let (date, time) = body.read(&mut bad);
        bad.finish()?;
        let default = Schedule::default();
        Ok(Schedule { date: date.unwrap_or(default.date), time: time.unwrap_or(default.time) })
    }

    fn cron(json: &str) -> String {
        read(json).unwrap().cron()
    }

    fn wrong(json: &str) -> String {
        read(json).unwrap_err().summary()
    }

    #[test]
    fn cron_is_made_from_date_and_time() {
        assert_eq!(cron("{}"), "0 * * * *");
        assert_eq!(
            cron(r#"{"date":{"type":"every_day"},"time":{"type":"every_hour","interval":4}}"#),
            "0 */4 * * *"
        );
        assert_eq!(
            cron(
                r#"{"date":{"type":"days_of_week","days":[1,5]},
                    "time":{"type":"at_exact_hours","hours":[9,17]}}"#
            ),
            "0 9,17 * * 1,5"
        );
    }

    #[test]
    fn a_cron_counts_wherever_a_client_puts_it() {
        assert_eq!(cron(r#"{"cron":"5 4 * * 0"}"#), "5 4 * * 0");
        assert_eq!(cron(r#"{"date":{"type":"custom_cron","cron":"5 4 * * 0"}}"#), "5 4 * * 0");
        assert_eq!(cron(r#"{"cron":"5 4 * * 0","date":{"type":"interval_cron"}}"#), "5 4 * * 0");
        // The date says more than the cron that is made from it.
        assert_eq!(cron(r#"{"cron":"5 4 * * 0","date":{"type":"every_day"}}"#), "0 * * * *");
    }

    #[test]
    fn what_cannot_be_is_told_field_by_field() {
        let text = wrong(
            r#"{"date":{"type":"days_of_week","days":[7]},
                "time":{"type":"at_exact_hours","hours":[24]}}"#,
        );
        insta::assert_snapshot!(text, @"`schedule.date.days` must be a list of different whole numbers from 0 to 6; `schedule.time.hours` must be a list of different whole numbers from 0 to 23");
        let text = wrong(r#"{"date":{"type":"daily"},"time":{"type":"every_hour","interval":25}}"#);
        insta::assert_snapshot!(text, @"`schedule.date.type` must be every_day, days_of_week, custom_cron or interval_cron; `schedule.time.interval` must be a whole number from 1 to 24");
        for cron in ["* * * *", "@daily", "* * * * * *", "61 * * * *", "0 0 31 2 *", "a b c d e"] {
            let text = wrong(&format!(r#"{{"cron":"{cron}"}}"#));
            assert!(text.starts_with("`schedule.cron` must "), "{cron}: {text}");
        }
        for days in ["null", "[]", "[1,1]", "[-1]"] {
            let body = format!(r#"{{"date":{{"type":"days_of_week","days":{days}}}}}"#);
            assert!(wrong(&body).starts_with("`schedule.date.days` must "), "{days}");
        }
        assert_eq!(
            wrong(r#"{"date":{"type":"custom_cron"}}"#),
            "`schedule.date.cron` is required with this type"
        );
    }

    #[test]
    fn the_next_run_is_the_first_time_after_now() {
        let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let next = |json: &str| read(json).unwrap().next_after(now).unwrap().to_string();
        assert_eq!(next("{}"), "2026-11-23T13:00:00.000000+00:00");
        assert_eq!(next(r#"{"cron":"0 0 29 2 *"}"#), "2028-02-29T00:00:00.000000+00:00");
        for interval in 1..=24 {
            next(&format!(r#"{{"time":{{"type":"every_hour","interval":{interval}}}}}"#));
        }
    }

    #[test]
    fn a_schedule_is_told_in_words() {
        insta::assert_snapshot!(in_words(&Schedule::default()), @"At minute 0 past every hour.");
        insta::assert_snapshot!(in_words(&read(r#"{"cron":"30 6 * * 1-5"}"#).unwrap()), @"At 06:30, on Monday, Tuesday, Wednesday, Thursday, and Friday.");
    }
}
