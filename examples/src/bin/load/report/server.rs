//! The servers that are measured: how each is started, and what it can do.

use std::{
    fmt::Write as _,
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use super::case::{Kind, Window};

/// Where Debian has what nginx loads.
const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
/// More clients than any case has.
const MAX_CONNECTIONS: u32 = 20_000;
/// A limit ends by itself if this program cannot end it.
const LIMIT_SECONDS: &str = "300";

/// A server to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// `srs-server`.
    Ours,
    Srs,
    NginxRtmp,
    /// `load limit`.
    Limit,
}

/// The servers in the order of the page.
pub(super) const SERVERS: [Server; 4] =
    [Server::Ours, Server::Srs, Server::NginxRtmp, Server::Limit];

/// Ports on the loopback address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) rtmp: u16,
    pub(super) http: u16,
    api: u16,
}

impl Ports {
    /// Ports that nobody uses at this moment.
    pub(super) fn free() -> io::Result<Self> {
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let held = [any()?, any()?, any()?];
        let port = |index: usize| Ok::<_, io::Error>(held[index].local_addr()?.port());
        Ok(Self { rtmp: port(0)?, http: port(1)?, api: port(2)? })
    }
}

impl Server {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "srs-server",
            Self::Srs => "srs",
            Self::NginxRtmp => "nginx-rtmp",
            Self::Limit => "limit",
        }
    }

    /// Its program, if it is installed; `bin` has our own.
    pub(super) fn find(self, bin: &Path) -> Option<PathBuf> {
        let ours = |name: &str| Some(bin.join(name)).filter(|path| path.is_file());
        match self {
            Self::Ours => ours("srs-server"),
            Self::Limit => ours("load"),
            Self::Srs => on_path("srs"),
            Self::NginxRtmp => {
                let nginx = on_path("nginx").or_else(|| Some("/usr/sbin/nginx".into()));
                nginx.filter(|path| path.is_file() && Path::new(NGINX_MODULE).is_file())
            }
        }
    }

    /// Whether it can be measured by this.
    pub(super) fn does(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Ours, _) => true,
            // It serves on one core.
            (Self::Srs, kind) => !matches!(kind, Kind::TwoCores | Kind::Shrink),
            // It writes every message at once whatever is asked of it, and knows no HTTP-FLV.
            (Self::NginxRtmp, Kind::RtmpPlay(window)) => window == Window::Fixed(0),
            (Self::NginxRtmp, kind) => matches!(kind, Kind::RtmpPublish | Kind::Join),
            // It has no window of its own accord.
            (Self::Limit, Kind::RtmpPlay(window) | Kind::FlvPlay(window)) => window != Window::Auto,
            (Self::Limit, kind) => kind == Kind::RtmpPublish,
        }
    }

    /// The groups whose measurements stand for what it would do in those of this kind.
    pub(super) fn stands_in(self, kind: Kind) -> &'static [&'static str] {
        match (self, kind) {
            // It knows one way to write only.
            (Self::NginxRtmp, Kind::RtmpPlay(_)) => &["rtmp-play-0", "rtmp-play-auto"],
            _ => &[],
        }
    }

    /// Whether it makes the stream itself.
    pub(super) fn has_stream(self) -> bool {
        self == Self::Limit
    }

    /// The port that players of this kind connect to.
    pub(super) fn play_port(self, kind: Kind, ports: Ports) -> u16 {
        match (self, kind) {
            (Self::Limit, _) => ports.rtmp,
            (_, Kind::FlvPlay(_)) => ports.http,
            _ => ports.rtmp,
        }
    }

    /// What its version is, in its own words.
    pub(super) fn version(self, program: &Path) -> String {
        let flag = if self == Self::Limit { "--help" } else { "-v" };
        let Ok(output) = Command::new(program).arg(flag).output() else { return String::new() };
        let said = [output.stdout, output.stderr].concat();
        match self {
            Self::Limit => String::new(),
            _ => String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned(),
        }
    }

    /// The command that starts it; `folder` is for its files.
    pub(super) fn command(
        self,
        program: &Path,
        kind: Kind,
        ports: Ports,
        folder: &Path,
    ) -> io::Result<Command> {
        let mut command = Command::new(program);
        let Ports { rtmp, http, api } = ports;
        match self {
            Self::Ours => {
                // Whatever else it is told by its environment would be measured too.
                let inherited = std::env::vars_os().map(|(name, _)| name);
                for name in inherited.filter(|name| name.to_string_lossy().starts_with("SRS_")) {
                    command.env_remove(name);
                }
                for (name, port) in [
                    ("SRS_LISTEN", rtmp),
                    ("SRS_HTTP_SERVER_LISTEN", http),
                    ("SRS_HTTP_API_LISTEN", api),
                ] {
                    command.env(name, format!("127.0.0.1:{port}"));
                }
                if let Window::Fixed(ms) = kind.window() {
                    command.env("SRS_VHOST_PLAY_MW_LATENCY", ms.to_string());
                }
            }
            Self::Srs => {
                let config = folder.join("srs.conf");
                fs::write(&config, srs_config(kind, ports))?;
                command.arg("-c").arg(config).current_dir(folder);
            }
            Self::NginxRtmp => {
                let config = folder.join("nginx.conf");
                fs::write(&config, nginx_config(rtmp, folder))?;
                let log = folder.join("nginx.log");
                command.arg("-c").arg(config).arg("-p").arg(folder).arg("-e").arg(log);
            }
            Self::Limit => {
                let window = match kind.window() {
                    Window::Auto => 0,
                    Window::Fixed(ms) => ms,
                };
                command.args(["limit", "--seconds", LIMIT_SECONDS]);
                command.args(["--listen", &format!("127.0.0.1:{rtmp}")]);
                command.args(["--window-ms", &window.to_string()]);
            }
        }
        Ok(command)
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn srs_config(kind: Kind, Ports { rtmp, http, .. }: Ports) -> String {
    let vhost = match kind.window() {
        Window::Auto => String::new(),
        Window::Fixed(0) => "min_latency on; play { mw_latency 0; }".to_owned(),
        Window::Fixed(ms) => format!("play {{ mw_latency {ms}; }}"),
    };
    let mut config = format!(
        "listen {rtmp};\nmax_connections {MAX_CONNECTIONS};\ndaemon off;\npid ./srs.pid;\n\
         srs_log_tank console;\nsrs_log_level error;\n"
    );
    // Writing to a string cannot fail.
    let _ = writeln!(config, "http_server {{ enabled on; listen {http}; dir .; }}");
    let _ = writeln!(
        config,
        "vhost __defaultVhost__ {{ tcp_nodelay on; {vhost} \
         http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }} }}"
    );
    config
}

fn nginx_config(port: u16, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "load_module {NGINX_MODULE};\ndaemon off; master_process off; worker_processes 1;\n\
         pid {folder}/nginx.pid; error_log {folder}/nginx.log error;\n\
         events {{ worker_connections {MAX_CONNECTIONS}; }}\n\
         rtmp {{ access_log off; server {{ listen {port}; application live {{ live on; }} }} }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::case::GROUPS;

    #[test]
    fn each_kind_is_measured_against_something() {
        for group in GROUPS {
            assert!(Server::Ours.does(group.kind), "{}", group.name);
        }
        let peers = |kind| SERVERS.into_iter().filter(|server| server.does(kind)).count();
        assert_eq!(peers(Kind::RtmpPlay(Window::Fixed(0))), 4);
        assert_eq!(peers(Kind::FlvPlay(Window::Fixed(350))), 3);
        assert_eq!(peers(Kind::Shrink), 1);
    }

    #[test]
    fn servers_are_told_ports_and_windows() {
        let ports = Ports { rtmp: 1, http: 2, api: 3 };
        let kind = Kind::RtmpPlay(Window::Fixed(40));
        let command = Server::Ours.command(Path::new("s"), kind, ports, Path::new(".")).unwrap();
        let environment: Vec<_> = command.get_envs().filter_map(|(_, value)| value).collect();
        assert_eq!(environment, ["127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1", "40"]);
        assert!(srs_config(kind, ports).contains("play { mw_latency 40; }"));
        assert!(nginx_config(1, Path::new("/f")).contains("listen 1;"));
        let command = Server::Limit.command(Path::new("s"), kind, ports, Path::new(".")).unwrap();
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments[arguments.len() - 2..], ["--window-ms", "40"]);
    }
}
