//! The SSH tunnel that leads a run to its data platform: opened before dbt, and ended with the run.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use domain::{kept::Hidden, ssh_tunnel::SshTunnel};
use tokio::{
    process::Child,
    time::{sleep, timeout},
};

use crate::{
    folder::RunFolder,
    interrupt::{Halt, Interrupts},
    process::Group,
    secret_file::SecretFile,
    surroundings::{self, Marks},
};

/// How long the machine between may take to let it in.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it is open.
const LOOK: Duration = Duration::from_millis(50);

/// A data platform as the machine between finds it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An open tunnel. Dropping it ends it.
pub(crate) struct Tunnel {
    /// Where dbt finds the data platform: on this port of this machine.
    pub(crate) port: u16,
    ssh: Child,
    /// What ssh says.
    said: PathBuf,
    _group: Group,
}

/// Opens a tunnel of a run with this key.
///
/// The machine between has to be one that is known, by the data folder's `known_hosts`, the server
/// user's or the machine's. The key is on disk until ssh is in.
///
/// # Errors
/// [`Halt::Failed`] with a sentence; [`Halt::Interrupted`].
pub(crate) async fn open(
    (spec, key): (&SshTunnel, &Hidden),
    destination: &Destination,
    folder: &RunFolder,
    marks: Marks<'_>,
    interrupts: &mut Interrupts,
) -> Result<Tunnel, Halt> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Halt::failed("the program `ssh` is not there"),
        _ => Halt::Failed(format!("an SSH tunnel cannot be begun: {error}")),
    };
    let key = SecretFile::write(folder.root().join("tunnel_key"), key).map_err(failed)?;
    let said = folder.root().join("tunnel_log");
    let port = free_port().map_err(failed)?;
    let mut command = surroundings::ssh(marks, folder);
    command.args(["-N", "-T", "-v", "-F", "none"]);
    for option in OPTIONS {
        command.args(["-o", option]);
    }
    command.arg("-o").arg(format!("UserKnownHostsFile=\"{}\" ~/.ssh/known_hosts", known(marks)));
    command.arg("-i").arg(key.path()).arg("-L").arg(forwarding(port, destination)?);
    command.args(["-p", &spec.port.to_string(), "-l", &spec.username, "--", &spec.hostname]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    command.stderr(fs::File::create(&said).map_err(failed)?);
    let ssh = command.spawn().map_err(failed)?;
    let group = Group::led_by(&ssh);
    let mut tunnel = Tunnel { port, ssh, said, _group: group };
    let opens = tokio::select! {
        opens = timeout(PATIENCE, tunnel.opens()) => opens.unwrap_or(false),
        interrupt = interrupts.raised() => return Err(interrupt.into()),
    };
    if opens {
        return Ok(tunnel);
    }
    let known = format!("{}/known_hosts", marks.data_dir.display());
    Err(Halt::Failed(refusal(&tunnel.words(), spec, &known)))
}

impl Tunnel {
    /// Whether it is open, once that can be told.
    async fn opens(&mut self) -> bool {
        let listening = format!("Local forwarding listening on 127.0.0.1 port {}.", self.port);
        loop {
            if fs::read_to_string(&self.said).is_ok_and(|said| said.contains(&listening)) {
                return true;
            }
            if self.has_ended() {
                return false;
            }
            sleep(LOOK).await;
        }
    }

    /// Whether ssh has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.ssh.try_wait(), Ok(None))
    }

    /// What ssh has said to people, in short.
    pub(crate) fn words(&self) -> String {
        let said = fs::read(&self.said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines = said.lines().map(str::trim).filter(|line| {
            !line.is_empty() && !line.starts_with("debug") && !line.starts_with("OpenSSH_")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// With the tunnel's key and no other, to a machine that is known.
const OPTIONS: [&str; 10] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "ExitOnForwardFailure=yes",
    "ControlPath=none",
    "ConnectTimeout=20",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
];

fn known(marks: Marks<'_>) -> String {
    let file = marks.data_dir.join("known_hosts").display().to_string();
    // `%` begins what ssh puts in.
    file.replace('%', "%%")
}

/// A port of this machine that nobody listens on.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What `-L` takes.
fn forwarding(port: u16, destination: &Destination) -> Result<String, Halt> {
    let Destination { host, port: to } = destination;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || !host.chars().all(plain) {
        return Err(Halt::Failed(format!("an SSH tunnel cannot lead to `{host}`: it is no host")));
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    Ok(format!("127.0.0.1:{port}:{host}:{to}"))
}

/// What is told of a tunnel that does not open.
fn refusal(said: &str, spec: &SshTunnel, known: &str) -> String {
    let SshTunnel { hostname, port, username, .. } = spec;
    let what = if said.contains("HOST IDENTIFICATION HAS CHANGED") {
        format!(
            "has another host key than `{known}` says: if its administrator has changed it, put the \
             new one there"
        )
    } else if said.contains("Host key verification failed") {
        format!(
            "is not known: put its host key into `{known}` (`ssh-keyscan -p {port} {hostname}`, \
             compared with what its administrator says)"
        )
    } else if said.contains("Permission denied") {
        format!("does not let `{username}` in with the tunnel's key: add the public half there")
    } else {
        let last = said.lines().last().unwrap_or("it does not answer");
        format!("cannot be reached: {last}")
    };
    format!("the SSH tunnel does not open: `{hostname}` {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_is_forwarded_to() {
        let to = |host: &str| {
            let host = host.to_owned();
            forwarding(7000, &Destination { host, port: 5432 }).ok()
        };
        assert_eq!(to("db.internal").as_deref(), Some("127.0.0.1:7000:db.internal:5432"));
        assert_eq!(to("fd00::7").as_deref(), Some("127.0.0.1:7000:[fd00::7]:5432"));
        for host in ["", "/run/postgresql", "a b", "{{ x }}"] {
            assert_eq!(to(host), None, "{host}");
        }
    }
}
