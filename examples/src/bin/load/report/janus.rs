//! Janus as a server to compare: its configuration, made anew for each run.

use std::{
    fmt::Write as _,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::server::Ports;
use crate::rtc::plain::{AUDIO_TYPE, VIDEO_TYPE};

/// Where distributions have what Janus loads.
const MODULES: [&str; 3] =
    ["/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus", "/usr/lib/janus"];
/// The most clients that a core carries with certainty, of either kind; there is a room for each
/// that publishes.
pub(super) const MOST: u32 = 200;

/// The folder with its modules, if it is installed.
pub(super) fn modules() -> Option<PathBuf> {
    MODULES.into_iter().map(PathBuf::from).find(|folder| folder.is_dir())
}

/// Has the command start it with one event loop, with the two plugins that are measured, and as
/// passive in ICE as `srs-server` is.
pub(super) fn configure(command: &mut Command, ports: Ports, folder: &Path) -> io::Result<()> {
    let modules = modules().ok_or(io::ErrorKind::NotFound)?;
    for (kind, names) in
        [("plugins", &["streaming", "videoroom"][..]), ("transports", &["http"]), ("none", &[])]
    {
        let chosen = folder.join(kind);
        fs::create_dir_all(&chosen)?;
        for name in names {
            let name = format!("libjanus_{name}.so");
            match symlink(modules.join(kind).join(&name), chosen.join(&name)) {
                // Of the run before.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done?,
            }
        }
    }
    let main = folder.join("janus.jcfg");
    fs::write(&main, core(folder))?;
    fs::write(folder.join("janus.transport.http.jcfg"), http(ports.http))?;
    fs::write(folder.join("janus.plugin.streaming.jcfg"), streaming(ports))?;
    fs::write(folder.join("janus.plugin.videoroom.jcfg"), rooms())?;
    command.arg("-F").arg(folder).arg("-C").arg(main).arg("--disable-colors");
    Ok(())
}

fn core(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "general: {{ configs_folder = \"{folder}\"; plugins_folder = \"{folder}/plugins\"; \
         transports_folder = \"{folder}/transports\"; events_folder = \"{folder}/none\"; \
         loggers_folder = \"{folder}/none\"; debug_level = 2; event_loops = 1 }}\n\
         nat: {{ ice_lite = true }}\n"
    )
}

fn http(port: u16) -> String {
    format!(
        "general: {{ json = \"compact\"; base_path = \"/janus\"; http = true; https = false; \
         ip = \"127.0.0.1\"; port = {port} }}\nadmin: {{ admin_http = false; admin_https = false }}\n"
    )
}

fn streaming(Ports { video, audio, .. }: Ports) -> String {
    format!(
        "general: {{ string_ids = true }}\n\
         s: {{ type = \"rtp\"; id = \"s\"; audio = true; video = true; \
         audioiface = \"127.0.0.1\"; audioport = {audio}; audiopt = {AUDIO_TYPE}; \
         audiocodec = \"opus\"; videoiface = \"127.0.0.1\"; videoport = {video}; \
         videopt = {VIDEO_TYPE}; videocodec = \"h264\"; \
         videofmtp = \"profile-level-id=42e01f;packetization-mode=1\" }}\n"
    )
}

/// A room for each publisher, in which it is alone.
fn rooms() -> String {
    let mut config = String::from("general: { string_ids = true }\n");
    for name in (0..MOST).map(|number| format!("s-{number}")).chain(["s".to_owned()]) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            config,
            "room-{name}: {{ publishers = 10; bitrate = 0; fir_freq = 0; audiocodec = \"opus\"; \
             videocodec = \"h264\"; h264_profile = \"42e01f\" }}"
        );
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_publisher_has_a_room_and_the_mountpoint_its_ports() {
        let rooms = rooms();
        for name in ["room-s: {", "room-s-0: {", "room-s-199: {"] {
            assert_eq!(rooms.matches(name).count(), 1, "{name}");
        }
        let ports = Ports::free().unwrap();
        let streaming = streaming(ports);
        assert!(streaming.contains(&format!("videoport = {}; videopt = 102;", ports.video)));
        assert!(streaming.contains(&format!("audioport = {}; audiopt = 111;", ports.audio)));
    }
}
