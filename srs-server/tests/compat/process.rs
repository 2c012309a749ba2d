//! The command line, the process, its log and its signals.

use std::{
    fs,
    net::TcpStream,
    os::unix::process::ExitStatusExt,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getsid},
};
use rtmp_proto::{MediaKind, Purpose};

use crate::support::{
    Clip, Ffmpeg, Home, RtmpClient, clip, free_ports, is_running, key_frame, port_of, wait_for,
    wait_for_port,
};

/// What the tests want of every server with a file, unless they are about it.
const FOREGROUND: &str = "listen 0;
daemon off;
srs_log_tank console;
vhost __defaultVhost__ { min_latency on; }
";
/// A server in the background, in this machine as in a container.
const BACKGROUND: &str =
    "listen 0;\ndaemon on;\ndisable_daemon_for_docker off;\nvhost __defaultVhost__ { }\n";

fn foreground(more: &str) -> Home {
    Home::with(&format!("{FOREGROUND}{more}"))
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[track_caller]
fn wait_for_end_of(pid: i32) {
    wait_for(&format!("end of {pid}"), Duration::from_secs(30), || {
        (!is_running(pid)).then_some(())
    });
}

#[test]
fn it_tells_its_version_name_and_options() {
    let home = Home::new();
    let said = |arg: &str| {
        let output = home.output(&[arg]);
        assert_eq!(output.status.code(), Some(0), "{arg}");
        assert!(output.stderr.is_empty(), "{arg}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = env!("CARGO_PKG_VERSION");
    for arg in ["-v", "-V", "--version"] {
        assert_eq!(said(arg), format!("{version}\n"));
    }
    for arg in ["-g", "-G"] {
        assert_eq!(said(arg), format!("srs-server/{version}\n"));
    }
    for arg in ["-h", "-?", "--help"] {
        let help = said(arg);
        for option in ["-c <FILE>", "-e", "-t", "-v", "-g", "-h", "conf"] {
            assert!(help.contains(option), "no {option} in {help}");
        }
    }
    for wrong in [&["-x"][..], &["-c"], &["conf"], &["conf", "check"], &["start"]] {
        assert_eq!(home.output(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn pid_file_holds_the_process() {
    let home = foreground("pid run/here/srs.pid;");
    fs::create_dir_all(home.path("run/here")).unwrap();
    // A server that was killed left its file behind, with the pid of somebody else by now.
    home.write("run/here/srs.pid", format!("{}\n", std::process::id()));
    let mut first = home.start(&["-c", "srs.conf"]);
    first.port("rtmp");
    assert_eq!(home.read("run/here/srs.pid"), format!("{}\n", first.pid()));

    let second = home.output(&["-c", "srs.conf"]);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(second.stderr).unwrap(),
        format!(
            "error: pid run/here/srs.pid: another server runs already, process {}\n",
            first.pid()
        )
    );
    assert_eq!(home.read("run/here/srs.pid"), format!("{}\n", first.pid()));

    // After a crash the next takes the file over; after a clean end there is none.
    first.signal(Signal::SIGKILL);
    assert_eq!(first.wait().signal(), Some(9));
    assert_eq!(home.read("run/here/srs.pid"), format!("{}\n", first.pid()));
    let mut third = home.start(&["-c", "srs.conf"]);
    third.port("rtmp");
    assert_eq!(home.read("run/here/srs.pid"), format!("{}\n", third.pid()));
    third.signal(Signal::SIGTERM);
    assert_eq!(third.wait().code(), Some(0));
    assert!(!home.path("run/here/srs.pid").exists());
}

#[test]
fn daemon_goes_to_the_background() {
    let home = Home::with(BACKGROUND);
    let started = home.output(&["-c", "srs.conf"]);
    assert_eq!(started.status.code(), Some(0));
    assert!(started.stdout.is_empty() && started.stderr.is_empty());
    let pid = home.wait_for_pid("objs/srs.pid");
    let port = port_of(&home.wait_for("objs/srs.log", "rtmp: listening on [::]:"));
    let mut publisher = RtmpClient::publish(&format!("rtmp://127.0.0.1:{port}/live/a"));
    publisher.send(MediaKind::Video, 0, key_frame(1, 100));

    // It has left this session, its terminal and its streams.
    assert!(is_running(pid));
    let pid_of = Pid::from_raw(pid);
    assert_ne!(getsid(Some(pid_of)).unwrap(), getsid(None).unwrap());
    for stream in 0..3 {
        let file = fs::read_link(format!("/proc/{pid}/fd/{stream}")).unwrap();
        assert_eq!(file.to_str().unwrap(), "/dev/null");
    }
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    assert_eq!(cwd, fs::canonicalize(home.path("")).unwrap());

    // A second one tells so before it leaves.
    let second = home.output(&["-c", "srs.conf"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&format!("another server runs already, process {pid}")), "{said}");

    send(pid, Signal::SIGTERM);
    wait_for_end_of(pid);
    assert!(home.read("objs/srs.log").contains("stops on SIGTERM"));
    assert!(!home.path("objs/srs.pid").exists());
}

/// Who starts it must hear of it, and not only the log: a start script looks at the exit code.
#[test]
fn a_daemon_that_cannot_serve_tells_who_started_it() {
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let home = Home::with(&BACKGROUND.replace("listen 0;", &format!("listen {port};")));
    let started = home.output(&["-c", "srs.conf"]);
    assert_eq!(started.status.code(), Some(1));
    let wrong = format!("rtmp: cannot listen on [::]:{port}: ");
    let said = String::from_utf8(started.stderr).unwrap();
    assert!(said.starts_with(&format!("error: {wrong}")), "{said}");
    let line = home.wait_for("objs/srs.log", "ERROR");
    assert!(line.contains(&wrong), "{line}");
    assert!(!home.path("objs/srs.pid").exists());
}

#[test]
fn a_daemon_whose_log_nobody_sees_is_warned_of() {
    let home = Home::with(&format!("{BACKGROUND}srs_log_tank console;"));
    let started = home.output(&["-c", "srs.conf"]);
    assert_eq!(started.status.code(), Some(0));
    let said = String::from_utf8(started.stderr).unwrap();
    assert!(said.contains("`srs_log_tank console` with `daemon on`"), "{said}");
    let pid = home.wait_for_pid("objs/srs.pid");
    send(pid, Signal::SIGTERM);
    wait_for_end_of(pid);
}

/// As by `srs-server 2>&1 | head`: whoever read the log has gone.
#[test]
fn a_log_that_nobody_reads_any_more_costs_no_client() {
    let [rtmp] = free_ports();
    let home = Home::with(&FOREGROUND.replace("listen 0", &format!("listen {rtmp}")));
    let mut command = home.command(&["-c", "srs.conf"]);
    let mut server = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(server.stderr.take());
    wait_for_port(rtmp);
    let url = format!("rtmp://127.0.0.1:{rtmp}/live/a");
    let mut publisher = RtmpClient::publish(&url);
    let mut player = RtmpClient::play(&url);
    publisher.send(MediaKind::Video, 0, key_frame(1, 100));
    assert_eq!(player.next().unwrap().2, key_frame(1, 100));
    send(server.id().try_into().unwrap(), Signal::SIGTERM);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_container_gets_no_daemon() {
    let conf = BACKGROUND.replace("disable_daemon_for_docker off", "in_docker on");
    let home = Home::with(&conf);
    let mut server = home.start(&["-c", "srs.conf"]);
    home.wait_for("objs/srs.log", "runs in a container, and so in the foreground");
    home.wait_for("objs/srs.log", "rtmp: listening");
    assert_eq!(home.wait_for_pid("objs/srs.pid"), server.pid());
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));

    // Unless it is to.
    home.write("srs.conf", format!("{BACKGROUND}in_docker on;"));
    assert_eq!(home.output(&["-c", "srs.conf"]).status.code(), Some(0));
    let pid = home.wait_for_pid("objs/srs.pid");
    assert!(is_running(pid));
    send(pid, Signal::SIGTERM);
    wait_for_end_of(pid);
}

#[test]
fn work_dir_is_where_paths_begin() {
    let home = Home::with(
        "listen 0;\ndaemon off;\nwork_dir deep/down;\npid a/b.pid;\nsrs_log_file c/d.log;\n\
         http_server { enabled on; listen 0; dir www; }\nvhost __defaultVhost__ { }\n",
    );
    let failed = home.output(&["-c", "srs.conf"]);
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(
        said,
        "error: work_dir: cannot change to deep/down: No such file or directory (os error 2)\n"
    );

    fs::create_dir_all(home.path("deep/down")).unwrap();
    let mut server = home.start(&["-c", "srs.conf"]);
    home.wait_for("deep/down/c/d.log", "rtmp: listening");
    assert_eq!(home.wait_for_pid("deep/down/a/b.pid"), server.pid());
    assert!(home.path("deep/down/www").is_dir());
    let cwd = fs::read_link(format!("/proc/{}/cwd", server.pid())).unwrap();
    assert_eq!(cwd, fs::canonicalize(home.path("deep/down")).unwrap());
    // The file of configuration is where it was all the same.
    server.signal(Signal::SIGHUP);
    home.wait_for("deep/down/c/d.log", "the configuration was read again");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!home.path("deep/down/a/b.pid").exists());
}

#[test]
fn asprocess_ends_with_its_parent() {
    let start = |more: &str| {
        let home = foreground(more);
        let run = format!("{} -c srs.conf & wait", env!("CARGO_BIN_EXE_srs-server"));
        let mut shell = home.start_by(home.other("sh").args(["-c", &run]));
        shell.port("rtmp");
        let pid = home.wait_for_pid("objs/srs.pid");
        assert_ne!(pid, shell.pid());
        (home, shell, pid)
    };
    let (_home, mut shell, tied) = start("asprocess on;");
    let (_other_home, mut other_shell, free) = start("");
    for shell in [&mut shell, &mut other_shell] {
        shell.signal(Signal::SIGKILL);
        shell.wait();
    }
    wait_for_end_of(tied);
    assert!(shell.stderr().contains("stops on the end of its parent"));
    assert!(is_running(free));
}

#[test]
fn log_goes_to_the_file() {
    let home = Home::with(
        "listen 0;\ndaemon off;\nsrs_log_tank file;\nsrs_log_file logs/of/srs.log;\n\
         vhost __defaultVhost__ { }\n",
    );
    let mut server = home.start(&["-c", "srs.conf"]);
    let port = port_of(&home.wait_for("logs/of/srs.log", "rtmp: listening on [::]:"));
    let play = |name: &str| {
        let player = RtmpClient::play(&format!("rtmp://127.0.0.1:{port}/live/{name}"));
        drop(player);
    };
    // Rotated three times, with clients that come and go: no line is lost, none is torn.
    let files = ["logs/of/srs.log.0", "logs/of/srs.log.1", "logs/of/srs.log.2", "logs/of/srs.log"];
    for (round, file) in files[..3].iter().enumerate() {
        (0..5).for_each(|number| play(&format!("s{round}{number}x")));
        fs::rename(home.path("logs/of/srs.log"), home.path(file)).unwrap();
        (5..10).for_each(|number| play(&format!("s{round}{number}x")));
        server.signal(Signal::SIGUSR1);
        home.wait_for("logs/of/srs.log", "the log goes on in");
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    let all: Vec<String> = files
        .iter()
        .flat_map(|file| home.read(file).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for round in 0..3 {
        for number in 0..10 {
            let name = format!("/live/s{round}{number}x");
            let play = |line: &&String| line.contains(&name) && line.contains(" play ");
            assert_eq!(all.iter().filter(play).count(), 1, "{name} in {all:#?}");
        }
    }
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];
    for line in &all {
        let level = line.split_whitespace().nth(1).unwrap_or_default();
        assert!(levels.contains(&level) && !line.contains('\x1b'), "{line}");
    }
    assert_eq!(server.stderr(), "");

    // A second run goes on in the same file.
    let before = home.read("logs/of/srs.log").lines().count();
    let mut server = home.start(&["-c", "srs.conf"]);
    wait_for("more lines", Duration::from_secs(10), || {
        (home.read("logs/of/srs.log").lines().count() > before).then_some(())
    });
    server.signal(Signal::SIGTERM);
    server.wait();

    home.write("srs.conf", FOREGROUND.replace("console", "file; srs_log_file /dev/null/a/b"));
    let failed = home.output(&["-c", "srs.conf"]);
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(
        said.starts_with("error: srs_log_file: cannot make the directory /dev/null/a: "),
        "{said}"
    );
}

#[test]
fn log_level_is_heeded() {
    // One warning there is at every start.
    let levels_at = |line: &str, log: Option<&str>| {
        let home = foreground(&format!("ff_log_level warn;\n{line}"));
        let mut command = home.command(&["-c", "srs.conf"]);
        if let Some(log) = log {
            command.env("RUST_LOG", log);
        }
        // Its port is not to be read from a log that doesn't tell it.
        let [port] = free_ports();
        let mut server = home.start_by(command.env("SRS_LISTEN", port.to_string()));
        wait_for_port(port);
        drop(RtmpClient::play(&format!("rtmp://127.0.0.1:{port}/live/a")));
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait().code(), Some(0));
        let said = server.stderr();
        ["TRACE", "DEBUG", "INFO", "WARN"].map(|level| said.contains(&format!(" {level} ")))
    };
    let of_us = |found: [bool; 4]| [found[1], found[2], found[3]];
    assert_eq!(levels_at("srs_log_level error;", None), [false; 4]);
    assert_eq!(levels_at("srs_log_level warn;", None), [false, false, false, true]);
    assert_eq!(levels_at("", None), [false, false, true, true]);
    assert_eq!(levels_at("srs_log_level trace;", None), [false, false, true, true]);
    assert_eq!(levels_at("srs_log_level info;", None), [false, true, true, true]);
    assert_eq!(of_us(levels_at("srs_log_level verbose;", None)), [true; 3]);
    // The other words, in which `info` is what SRS calls `trace`.
    assert_eq!(levels_at("srs_log_level_v2 info;", None), [false, false, true, true]);
    assert_eq!(levels_at("srs_log_level_v2 debug;", None), [false, true, true, true]);
    assert_eq!(levels_at("srs_log_level verbose;", Some("warn")), [false, false, false, true]);
}

#[test]
fn log_times_are_utc() {
    for (line, end) in [("utc_time on;", "Z"), ("utc_time off;", "+05:30"), ("", "+05:30")] {
        let home = foreground(line);
        // Half an hour that is nobody's by chance.
        let mut server = home.start_by(home.command(&["-c", "srs.conf"]).env("TZ", "Asia/Kolkata"));
        let line = server.wait_for("rtmp: listening");
        let time = line.split(' ').next().unwrap();
        assert!(time.ends_with(end), "{time} does not end with {end}");
        let now = fs::metadata(home.path("srs.conf")).unwrap().modified().unwrap();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let local = now + if end == "Z" { 0 } else { 5 * 3600 + 1800 };
        // Within the minutes that a test may take; the hour tells the zone.
        let minutes = |text: &str| {
            let part =
                |range: std::ops::Range<usize>| text.get(range).unwrap().parse::<u64>().unwrap();
            part(11..13) * 60 + part(14..16)
        };
        let late = (minutes(time) + 24 * 60 - local / 60 % (24 * 60)) % (24 * 60);
        assert!(late < 5, "{time} is {late} minutes after {local}");
    }
}

#[test]
fn sighup_reads_the_configuration_again() {
    let home = foreground("vhost a.example { min_latency on; }\n");
    let mut server = home.start(&["-c", "srs.conf"]);
    let port = server.port("rtmp");
    let url = format!("rtmp://127.0.0.1:{port}/live?vhost=a.example/a");
    let mut publisher = RtmpClient::publish(&url);
    let mut player = RtmpClient::play(&url);

    // What can't be read changes nothing.
    let right = home.read("srs.conf");
    home.write(
        "srs.conf",
        right.replace("vhost a.example { min_latency on; }", "vhost a.example { enabled of; }"),
    );
    server.signal(Signal::SIGHUP);
    let line = server.wait_for("the configuration stays as it was");
    assert!(line.contains("srs.conf:5:19: `vhost.enabled of`: expected on or off"), "{line}");
    drop(RtmpClient::play(&url));

    home.write(
        "srs.conf",
        right.replace("vhost a.example { min_latency on; }", "vhost a.example { enabled off; }"),
    );
    server.signal(Signal::SIGHUP);
    server.wait_for("the configuration was read again");
    assert!(RtmpClient::open(&url, Purpose::play()).is_err());
    // Who is there stays.
    publisher.send(MediaKind::Video, 0, key_frame(1, 100));
    assert_eq!(player.next().unwrap().2, key_frame(1, 100));

    // What only a start can change is named.
    home.write("srs.conf", format!("{right}pid other.pid;"));
    server.signal(Signal::SIGHUP);
    server.wait_for("`pid` stays as it is until the server starts again");
    drop(wait_for("player", Duration::from_secs(5), || {
        RtmpClient::open(&url, Purpose::play()).ok()
    }));

    server.signal(Signal::SIGUSR2);
    server.wait_for("SIGUSR2 has no effect");
    server.signal(Signal::SIGUSR1);
    server.wait_for("the log is on the console");
}

#[test]
fn sigterm_with_an_encoder_and_a_player_is_a_clean_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let home = foreground("");
        let mut server = home.start(&["-c", "srs.conf"]);
        let url = format!("rtmp://127.0.0.1:{}/live/a", server.port("rtmp"));
        let mut publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &url);
        let mut player = Ffmpeg::record(&url);
        let mut watcher = RtmpClient::play(&url);
        watcher.next().unwrap();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal}");
        assert!(server.stderr().contains(&format!("stops on {signal}")));
        assert!(!home.path("objs/srs.pid").exists());
        publisher.wait();
        player.wait();
    }
}

/// A server that is to end when its clients have left; its port, and a publisher with a player.
fn draining(more: &str, signal: Signal) -> (Home, crate::support::Running, u16) {
    let home = foreground(more);
    let mut server = home.start(&["-c", "srs.conf"]);
    let port = server.port("rtmp");
    let url = format!("rtmp://127.0.0.1:{port}/live/a");
    let (mut publisher, mut player) = (RtmpClient::publish(&url), RtmpClient::play(&url));
    server.signal(signal);
    server.wait_for(&format!("stops on {signal} when its clients are gone"));
    wait_for("closed port", Duration::from_secs(20), || {
        TcpStream::connect(("127.0.0.1", port)).err()
    });
    for number in 0..3 {
        publisher.send(MediaKind::Video, number * 40, key_frame(number, 100));
        let received = player.next().map(|(_, _, payload)| payload);
        assert_eq!(received, Ok(key_frame(number, 100)), "message {number}");
    }
    assert!(is_running(server.pid()));
    (home, server, port)
}

#[test]
fn sigquit_waits_for_clients() {
    let begin = Instant::now();
    let waits = "grace_start_wait 700;\ngrace_final_wait 800;\n";
    let (_home, mut server, _) = draining(waits, Signal::SIGQUIT);
    // The clients went when `draining` ended.
    assert_eq!(server.wait().code(), Some(0));
    assert!(begin.elapsed() >= Duration::from_millis(1500), "{:?}", begin.elapsed());
    assert!(server.stderr().contains("all clients are gone"));
}

#[test]
fn force_grace_quit_lets_clients_leave() {
    let waits = "grace_start_wait 0;\ngrace_final_wait 0;\nforce_grace_quit on;\n";
    let (_home, mut server, _) = draining(waits, Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.stderr().contains("all clients are gone"));
}

#[test]
fn a_draining_server_still_ends_at_once_when_told_to() {
    let home = foreground("grace_start_wait 0;\n");
    let mut server = home.start(&["-c", "srs.conf"]);
    let url = format!("rtmp://127.0.0.1:{}/live/a", server.port("rtmp"));
    let _player = RtmpClient::play(&url);
    server.signal(Signal::SIGQUIT);
    server.wait_for("stops on SIGQUIT when its clients are gone");
    thread::sleep(Duration::from_millis(300));
    assert!(is_running(server.pid()));
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!server.stderr().contains("all clients are gone"));
}

#[test]
fn four_servers_by_the_environment_run_in_one_directory() {
    let home = Home::new();
    let servers: Vec<_> = free_ports::<4>()
        .into_iter()
        .map(|port| {
            let mut command = home.command(&["-e"]);
            (home.start_by(command.env("SRS_LISTEN", port.to_string())), port)
        })
        .collect();
    for (server, port) in &servers {
        wait_for_port(*port);
        let url = format!("rtmp://127.0.0.1:{port}/live/a");
        let (mut publisher, mut player) = (RtmpClient::publish(&url), RtmpClient::play(&url));
        let number = u32::from(*port);
        publisher.send(MediaKind::Video, 0, key_frame(number, 100));
        assert_eq!(player.next().unwrap().2, key_frame(number, 100));
        // Nothing else is served.
        assert!(!server.stderr().contains("http: listening"));
        assert!(!server.stderr().contains("api: listening"));
    }
    for (mut server, _) in servers {
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait().code(), Some(0));
    }
    assert!(!home.path("objs/srs.pid").exists());
}
