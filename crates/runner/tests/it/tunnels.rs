//! Runs whose data platform is behind an SSH tunnel, over a real sshd. Without one they are skipped, and
//! say so.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use domain::{
    JobId, connection::Platform, run::RunStatus, ssh_tunnel::SshTunnel, warehouse_credential::Login,
};

use crate::{
    checkout::Serving,
    house::{House, eventually},
    sandbox::with_argument,
};

/// Who sshd is, and lets in, where the test is root: there is no more to it then than there is for
/// anybody else.
const NOBODY: u32 = 65534;

#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn sshd() -> Option<PathBuf> {
    let named = std::env::var_os("NARROWGATE_TEST_SSHD").map(PathBuf::from);
    let sshd = named.unwrap_or_else(|| "/usr/sbin/sshd".into());
    if !sshd.is_file() {
        println!("skipped: sshd is not there (Debian: apt-get install openssh-server)");
        return None;
    }
    Some(sshd)
}

/// A data platform that says `warehouse`, an sshd before it, and a job that wants to get through.
struct Bastion {
    house: House,
    port: u16,
    job: JobId,
    public_key: String,
    _sshd: Serving,
}

/// A key of sshd's own; gives the public half.
fn host_key(house: &House, name: &str) -> String {
    let file = house.path(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "sshd", "-f"]).arg(&file);
    assert!(keygen.status().unwrap().success());
    fs::read_to_string(house.path(&format!("{name}.pub"))).unwrap()
}

/// Starts sshd on a port, with what it needs in the house's folder; gives it, and whom it lets in.
fn serve(house: &House, sshd: &Path, port: u16) -> (Serving, String) {
    let here = house.path("").display().to_string();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {here}host\nPidFile none\nUsePAM yes\n\
         StrictModes no\nAuthorizedKeysFile {here}authorized\nPasswordAuthentication no\n"
    );
    fs::write(house.path("sshd_config"), config).unwrap();
    fs::set_permissions(house.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    // One that only lies somewhere may lie where nobody else gets, and its libraries lie beside it.
    let folder = house.path("sshd");
    fs::create_dir(&folder).unwrap();
    let mut program = sshd.to_owned();
    if !sshd.starts_with("/usr") {
        for file in fs::read_dir(sshd.parent().unwrap()).unwrap().flatten() {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        program = folder.join(sshd.file_name().unwrap());
    }
    let mut serving = Command::new(program);
    serving.args(["-D", "-e", "-f"]).arg(house.path("sshd_config")).stdin(Stdio::null());
    serving.env("LD_LIBRARY_PATH", &folder).process_group(0);
    serving.stderr(fs::File::create(house.path("sshd_log")).unwrap());
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let mut user = String::from_utf8(user).unwrap().trim().to_owned();
    if chown(house.path("host"), Some(NOBODY), Some(NOBODY)).is_ok() {
        serving.uid(NOBODY).gid(NOBODY);
        "nobody".clone_into(&mut user);
    }
    (Serving(serving.spawn().unwrap()), user)
}

impl Bastion {
    async fn new() -> Option<Self> {
        let sshd = sshd()?;
        let house = House::new().await;
        let warehouse = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = warehouse.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut caller in warehouse.incoming().flatten() {
                let _ = caller.write_all(b"warehouse\n");
            }
        });
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        host_key(&house, "host");
        let (serving, username) = serve(&house, &sshd, port);
        eventually("sshd listens", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;

        let (hostname, dbname) = ("127.0.0.1".to_owned(), "shop".to_owned());
        let platform = Platform::Postgres { hostname, dbname, port: at, retries: None };
        let connection = house.connection(platform).await;
        let spec = SshTunnel {
            connection_id: connection,
            username,
            port,
            hostname: "127.0.0.1".to_owned(),
            public_key: String::new(),
        };
        let made = house.store.create_ssh_tunnel(&house.permit(), spec).await.unwrap();
        let remote = house.repository("scripted", &[("dbt_project.yml", "name: scripted")]);
        let login = Login::Postgres { username: "ada".to_owned() };
        let login = Some((login, "hunter2"));
        let place = house.place_with(&remote, Some(connection), login, |_, _| {}).await;
        let job = house.job(place, &["dbt build"]).await;
        let bastion = Self { house, port, job, public_key: made.spec.public_key, _sshd: serving };
        bastion.lets_in(&bastion.public_key);
        bastion.is_known_by("host");
        Some(bastion)
    }

    fn lets_in(&self, key: &str) {
        fs::write(self.house.path("authorized"), format!("{key}\n")).unwrap();
    }

    fn is_known_by(&self, key: &str) {
        let public = fs::read_to_string(self.house.path(&format!("{key}.pub"))).unwrap();
        let line = format!("[127.0.0.1]:{} {public}", self.port);
        fs::write(self.house.store.data_dir().path().join("known_hosts"), line).unwrap();
    }

    /// Runs the job to its end; gives what it says.
    async fn told(&self) -> String {
        let run = self.house.trigger(self.job).await;
        self.house.ended(run).await.message
    }

    /// What ssh is called with.
    fn processes(&self) -> Vec<String> {
        with_argument(&self.port.to_string())
    }
}

/// Prints what the data platform says, by the profile that dbt is given.
const ASK: &str = "port=$(grep -o '\"port\":[0-9]*' \"$DBT_PROFILES_DIR/profiles.yml\")\n\
                   cat < \"/dev/tcp/127.0.0.1/${port#*:}\"; ls \"$HOME/..\"";

#[tokio::test(flavor = "multi_thread")]
async fn dbt_reaches_its_data_platform_through_a_tunnel_that_ends_with_the_run() {
    let Some(bastion) = Bastion::new().await else { return };
    let house = &bastion.house;
    let runner = house.runner(house.script(ASK)).await;
    let run = house.trigger(bastion.job).await;
    let ended = house.ended(run).await;
    let log = house.logs(run).await;
    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}\n{log}", ended.message);
    assert!(log.contains("opened an SSH tunnel over `127.0.0.1` to 127.0.0.1:"), "{log}");
    assert!(house.log(run, 4).await.starts_with("warehouse\n"), "{log}");
    assert!(!log.contains("tunnel_key"), "{log}");
    assert_eq!(bastion.processes(), Vec::<String>::new());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_not_known_or_does_not_know_the_key_is_told_with_what_to_do() {
    let Some(bastion) = Bastion::new().await else { return };
    let house = &bastion.house;
    let runner = house.runner(house.script(ASK)).await;
    let known = house.store.data_dir().path().join("known_hosts");
    fs::remove_file(&known).unwrap();
    let told = bastion.told().await;
    let scan = format!("(`ssh-keyscan -p {} 127.0.0.1`", bastion.port);
    assert!(told.contains("`127.0.0.1` is not known: put its host key into"), "{told}");
    assert!(told.contains(&scan) && !known.exists(), "{told}");

    let other = host_key(house, "other");
    bastion.is_known_by("other");
    let told = bastion.told().await;
    assert!(told.contains("has another host key than"), "{told}");

    bastion.is_known_by("host");
    bastion.lets_in(&other);
    let told = bastion.told().await;
    assert!(told.contains("in with the tunnel's key: add the public half there"), "{told}");

    bastion.lets_in(&bastion.public_key);
    assert_eq!(bastion.told().await, "");
    assert!(house.working_copies().is_empty());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_with_a_cancelled_run_and_one_that_breaks_off_is_told() {
    let Some(bastion) = Bastion::new().await else { return };
    let house = &bastion.house;
    let runner = house.runner(house.script("echo begun; sleep 600")).await;
    let begun = async || {
        let run = house.trigger(bastion.job).await;
        eventually("dbt runs", async || house.log(run, 4).await.contains("begun").then_some(()))
            .await;
        assert_eq!(bastion.processes().len(), 1);
        run
    };
    let run = begun().await;
    house.store.cancel_run(&house.permit(), run).await.unwrap();
    assert_eq!(house.ended(run).await.state.status(), RunStatus::CANCELLED);
    assert_eq!(bastion.processes(), Vec::<String>::new());

    let run = begun().await;
    Command::new("kill").args(bastion.processes()).status().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    house.store.cancel_run(&house.permit(), run).await.unwrap();
    house.ended(run).await;
    let log = house.log(run, 4).await;
    assert!(log.contains("the SSH tunnel has ended"), "{log}");
    runner.stop().await;
}
