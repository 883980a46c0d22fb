//! Light or dark: a person's choice, kept in a cookie. It is no secret and proves nothing.

use axum::http::{HeaderMap, HeaderValue, header};

/// The cookie's name.
const COOKIE: &str = "narrowgate-theme";

/// What pages look like; none is as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// What the stylesheet calls it.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name; `None` is as the system says.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.key() == key)
    }

    /// The choice that a browser holds.
    pub(crate) fn chosen(headers: &HeaderMap) -> Option<Self> {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            if name == COOKIE { Self::parse(value) } else { None }
        })
    }

    /// What has a browser hold a choice for a year, or forget it.
    pub(crate) fn cookie(choice: Option<Self>) -> HeaderValue {
        HeaderValue::from_static(match choice {
            Some(Self::Light) => {
                "narrowgate-theme=light; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
            }
            Some(Self::Dark) => {
                "narrowgate-theme=dark; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
            }
            None => "narrowgate-theme=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_reads_back_from_among_other_cookies() {
        let held = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(text));
            Theme::chosen(&headers)
        };
        assert_eq!(held("narrowgate=x; narrowgate-theme=dark"), Some(Theme::Dark));
        assert_eq!(held("narrowgate-theme=light"), Some(Theme::Light));
        assert_eq!(held("narrowgate-theme=\"><script>"), None);
        assert_eq!(held("other=dark"), None);
    }
}
