//! The servers that are measured: how each is started, and what it can do.

use std::{
    fmt::Write as _,
    fs, io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    case::{Kind, Window},
    janus,
};

/// Where Debian has what nginx loads.
const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
/// More clients than any case has.
const MAX_CONNECTIONS: u32 = 20_000;
/// Within which 20 publishers begin: 95 ms apart, which is no multiple of a frame's time.
const RAMP_MS: u32 = 1_900;
/// A limit ends by itself if this program cannot end it.
const LIMIT_SECONDS: &str = "300";

/// A server to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// `srs-server`.
    Ours,
    Srs,
    NginxRtmp,
    Janus,
    /// `load limit`.
    Limit,
}

/// The servers in the order of the page.
pub(super) const SERVERS: [Server; 5] =
    [Server::Ours, Server::Srs, Server::NginxRtmp, Server::Janus, Server::Limit];

/// Ports on the loopback address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) rtmp: u16,
    pub(super) http: u16,
    api: u16,
    /// For WebRTC.
    rtc: u16,
    /// For plain RTP.
    pub(super) video: u16,
    pub(super) audio: u16,
}

impl Ports {
    /// Ports that nobody uses at this moment.
    pub(super) fn free() -> io::Result<Self> {
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let held = [any()?, any()?, any()?];
        let port = |index: usize| Ok::<_, io::Error>(held[index].local_addr()?.port());
        let any = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let held = [any()?, any()?, any()?];
        let datagrams = |index: usize| Ok::<_, io::Error>(held[index].local_addr()?.port());
        Ok(Self {
            rtmp: port(0)?,
            http: port(1)?,
            api: port(2)?,
            rtc: datagrams(0)?,
            video: datagrams(1)?,
            audio: datagrams(2)?,
        })
    }
}

impl Server {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "srs-server",
            Self::Srs => "srs",
            Self::NginxRtmp => "nginx-rtmp",
            Self::Janus => "janus",
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
            Self::Janus => on_path("janus").filter(|_| janus::modules().is_some()),
        }
    }

    /// Whether it can be measured by this.
    pub(super) fn does(self, kind: Kind) -> bool {
        let is_plain = kind == Kind::RtcPlay { streams: 1, cores: 1 };
        match (self, kind) {
            (Self::Ours, _) => true,
            // It serves on one core.
            (Self::Srs, kind) => !kind.is_rtc() && !matches!(kind, Kind::TwoCores | Kind::Shrink),
            // It writes every message at once whatever is asked of it, and knows no HTTP-FLV.
            (Self::NginxRtmp, Kind::RtmpPlay(window)) => window == Window::Fixed(0),
            (Self::NginxRtmp, kind) => matches!(kind, Kind::RtmpPublish | Kind::Join),
            (Self::Janus, kind) => is_plain || kind == Kind::RtcPublish,
            // It has no window of its own accord.
            (Self::Limit, Kind::RtmpPlay(window) | Kind::FlvPlay(window)) => window != Window::Auto,
            (Self::Limit, kind) => is_plain || kind == Kind::RtmpPublish,
        }
    }

    /// The most clients that it can have on a core.
    pub(super) fn most(self) -> u32 {
        if self == Self::Janus { janus::MOST } else { MAX_CONNECTIONS }
    }

    /// The groups whose measurements stand for what it would do in those of this kind.
    pub(super) fn stands_in(self, kind: Kind) -> &'static [&'static str] {
        match (self, kind) {
            // It knows one way to write only.
            (Self::NginxRtmp, Kind::RtmpPlay(_)) => &["rtmp-play-0", "rtmp-play-auto"],
            _ => &[],
        }
    }

    /// Where it listens for TCP as soon as it serves.
    pub(super) fn port(self, ports: Ports) -> u16 {
        if self == Self::Janus { ports.http } else { ports.rtmp }
    }

    /// Where clients of this kind play or publish.
    pub(super) fn url(self, kind: Kind, ports: Ports) -> String {
        let Ports { rtmp, http, api, .. } = ports;
        match (self, kind) {
            (Self::Janus, _) => format!("http://127.0.0.1:{http}/janus/s"),
            // One port has everything.
            (Self::Limit, kind) if kind.is_rtc() => rtc_url(rtmp, "whep"),
            (_, Kind::RtcPublish) => rtc_url(api, "whip"),
            (_, kind) if kind.is_rtc() => rtc_url(api, "whep"),
            (Self::Limit, Kind::FlvPlay(_)) => format!("http://127.0.0.1:{rtmp}/live/s.flv"),
            (_, Kind::FlvPlay(_)) => format!("http://127.0.0.1:{http}/live/s.flv"),
            _ => format!("rtmp://127.0.0.1:{rtmp}/live/s"),
        }
    }

    /// How this program publishes what is played; `None` where the server makes it itself.
    pub(super) fn publisher(self, kind: Kind, ports: Ports) -> Option<Vec<String>> {
        let line = match (self, kind) {
            (Self::Limit, _) => return None,
            (Self::Janus, _) => format!(
                "rtp-publish --video 127.0.0.1:{} --audio 127.0.0.1:{}",
                ports.video, ports.audio
            ),
            (_, kind) if kind.is_rtc() => {
                let streams = if let Kind::RtcPlay { streams, .. } = kind { streams } else { 1 };
                let url = rtc_url(ports.api, "whip");
                // Apart from each other, and their frames too: all at once would be one stream to all.
                let ramp = if streams > 1 { RAMP_MS } else { 0 };
                format!("rtc-publish --url {url} --clients {streams} --ramp-ms {ramp}")
            }
            _ => format!("rtmp-publish --url rtmp://127.0.0.1:{}/live/s", ports.rtmp),
        };
        Some(line.split(' ').map(ToOwned::to_owned).collect())
    }

    /// What its version is, in its own words.
    pub(super) fn version(self, program: &Path) -> String {
        let flag = match self {
            Self::Limit => "--help",
            Self::Janus => "--version",
            _ => "-v",
        };
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
        let Ports { rtmp, http, api, rtc, .. } = ports;
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
                command.env("SRS_RTC_SERVER_LISTEN", rtc.to_string());
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
            Self::Janus => janus::configure(&mut command, ports, folder)?,
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

fn rtc_url(api: u16, endpoint: &str) -> String {
    format!("http://127.0.0.1:{api}/rtc/v1/{endpoint}/?app=live&stream=s")
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
        assert_eq!(peers(Kind::RtcPlay { streams: 1, cores: 1 }), 3);
        assert_eq!(peers(Kind::RtcPlay { streams: 1, cores: 2 }), 1);
        assert_eq!(peers(Kind::RtcPublish), 2);
    }

    #[test]
    fn servers_are_told_ports_and_windows() {
        let ports = Ports { rtmp: 1, http: 2, api: 3, rtc: 4, video: 5, audio: 6 };
        let kind = Kind::RtmpPlay(Window::Fixed(40));
        let command = Server::Ours.command(Path::new("s"), kind, ports, Path::new(".")).unwrap();
        let environment: Vec<_> = command.get_envs().filter_map(|(_, value)| value).collect();
        assert_eq!(environment, ["127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1", "4", "40"]);
        assert!(srs_config(kind, ports).contains("play { mw_latency 40; }"));
        assert!(nginx_config(1, Path::new("/f")).contains("listen 1;"));
        let command = Server::Limit.command(Path::new("s"), kind, ports, Path::new(".")).unwrap();
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments[arguments.len() - 2..], ["--window-ms", "40"]);
    }

    #[test]
    fn clients_are_told_where_and_publishers_what() {
        let ports = Ports { rtmp: 1, http: 2, api: 3, rtc: 4, video: 5, audio: 6 };
        let play = Kind::RtcPlay { streams: 20, cores: 1 };
        let whep = "http://127.0.0.1:3/rtc/v1/whep/?app=live&stream=s";
        assert_eq!(Server::Ours.url(play, ports), whep);
        assert_eq!(Server::Ours.url(Kind::RtcPublish, ports), whep.replace("whep", "whip"));
        assert_eq!(Server::Limit.url(play, ports), whep.replace(":3", ":1"));
        assert_eq!(Server::Janus.url(play, ports), "http://127.0.0.1:2/janus/s");
        assert_eq!(Server::Ours.url(Kind::Join, ports), "rtmp://127.0.0.1:1/live/s");
        let publisher = |server: Server| server.publisher(play, ports).map(|line| line.join(" "));
        let url = whep.replace("whep", "whip");
        let line = format!("rtc-publish --url {url} --clients 20 --ramp-ms 1900");
        assert_eq!(publisher(Server::Ours), Some(line));
        let line = "rtp-publish --video 127.0.0.1:5 --audio 127.0.0.1:6".to_owned();
        assert_eq!(publisher(Server::Janus), Some(line));
        assert_eq!(publisher(Server::Limit), None);
    }
}
