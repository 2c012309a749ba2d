//! Programs other than ffmpeg that publish and play: GStreamer and nginx-rtmp.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rtmp_proto::MediaKind;

use crate::support::{
    Clip, Ffmpeg, RtmpClient, TestServer, clip, decoded_hashes, packets, wait_for,
};

/// A program at work; killed when dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{}: {error}", program.display())))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gst(pipeline: &str) -> Running {
    let mut command = Command::new("gst-launch-1.0");
    // With -e an interrupt ends the stream, and so the file, as it should be ended.
    Running::start(command.args(["-q", "-e"]).args(pipeline.split_whitespace()))
}

fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn gstreamer_publishes() {
    publishes_by("rtmp2sink location=");
}

/// `rtmpsink` is librtmp.
#[test]
fn librtmp_publishes() {
    publishes_by("rtmpsink location=");
}

fn publishes_by(sink: &str) {
    let server = TestServer::start();
    let source = clip(Clip::Avc);
    let mut flv = Ffmpeg::record(&server.flv_url("a"));
    server.wait_for_client("a", "flv-play");
    let _gst = gst(&format!(
        "flvmux name=mux streamable=true ! {sink}{} \
         filesrc location={} ! flvdemux name=demux \
         demux.video ! queue ! h264parse ! identity sync=true ! mux. \
         demux.audio ! queue ! aacparse ! mux.",
        server.rtmp_url("a"),
        source.display()
    ));
    assert!(flv.wait().success());
    let (sent, got) = (decoded_hashes(&source), decoded_hashes(&flv.output));
    assert_eq!(got["video"], sent["video"]);
    assert!(got["audio"].len() + 3 >= sent["audio"].len(), "{} audio frames", got["audio"].len());
}

#[test]
fn gstreamer_plays() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    thread::sleep(Duration::from_millis(1500));
    let output = scratch("rtmp2src.flv");
    let _gst = gst(&format!(
        "rtmp2src location={} ! filesink location={}",
        server.rtmp_url("a"),
        output.display()
    ));
    let player = server.wait_for_client("a", "rtmp-play");
    thread::sleep(Duration::from_secs(3));
    server.kick(&player);
    thread::sleep(Duration::from_millis(300));
    let frames = decoded_hashes(&output);
    assert!(frames["video"].len() >= 50, "{} frames", frames["video"].len());
    let source = decoded_hashes(&clip(Clip::Avc));
    let first = source["video"].iter().position(|hash| *hash == frames["video"][0]).unwrap();
    assert_eq!(first % 25, 0, "the first frame is a keyframe");
    for (index, hash) in frames["video"].iter().enumerate() {
        assert_eq!(*hash, source["video"][(first + index) % source["video"].len()], "{index}");
    }
}

/// An nginx-rtmp with the given lines in its application `live`.
struct Nginx {
    _running: Running,
    port: u16,
}

impl Nginx {
    fn start(name: &str, lines: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("nginx.conf");
        let at = folder.display();
        std::fs::write(
            &config,
            format!(
                "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
                 daemon off; master_process off; pid {at}/nginx.pid; error_log {at}/error.log;
                 events {{ worker_connections 64; }}
                 rtmp {{ access_log off; server {{ listen 127.0.0.1:{port};
                     application live {{ live on; {lines} }} }} }}"
            ),
        )
        .unwrap();
        let program =
            if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let running = Running::start(
            Command::new(program)
                .arg("-c")
                .arg(&config)
                .arg("-p")
                .arg(&folder)
                .arg("-e")
                .arg(folder.join("start.log")),
        );
        wait_for("nginx", Duration::from_secs(5), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { _running: running, port }
    }

    fn url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.port)
    }
}

/// nginx-rtmp relays to us what it is sent.
#[test]
fn nginx_pushes() {
    let server = TestServer::start();
    let nginx = Nginx::start("push", &format!("push rtmp://127.0.0.1:{}/live;", server.rtmp));
    let source = clip(Clip::Avc);
    let mut flv = Ffmpeg::record(&server.flv_url("a"));
    server.wait_for_client("a", "flv-play");
    assert!(Ffmpeg::publish(&source, &nginx.url("a")).wait().success());
    assert!(flv.wait().success());
    let (sent, got) = (decoded_hashes(&source), decoded_hashes(&flv.output));
    // It begins to push when it is published to, and so with a later keyframe.
    assert!(got["video"].len() >= 75, "{} frames", got["video"].len());
    assert!(sent["video"].ends_with(&got["video"]));
}

/// nginx-rtmp plays from us what its player asks for.
#[test]
fn nginx_pulls() {
    let server = TestServer::start();
    let nginx = Nginx::start("pull", &format!("pull rtmp://127.0.0.1:{}/live;", server.rtmp));
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let mut player = RtmpClient::play(&nginx.url("a"));
    let received = player.collect(Duration::from_secs(4));
    let video = received.iter().filter(|(kind, _, _)| *kind == MediaKind::Video).count();
    assert!(video >= 50, "{video} frames");
    assert_eq!(server.clients("a", "rtmp-play").len(), 1);
}

/// Our client publishes to nginx-rtmp and plays from it what it published.
#[test]
fn our_client_speaks_with_nginx() {
    let nginx = Nginx::start("both", "");
    let source = clip(Clip::Avc);
    let mut publisher = RtmpClient::publish(&nginx.url("a"));
    let mut player = RtmpClient::play(&nginx.url("a"));
    let mut demuxer = flv_mux::Demuxer::new(flv_mux::Limits::default());
    demuxer.receive(&std::fs::read(&source).unwrap());
    let mut sent = Vec::new();
    while let Some(tag) = demuxer.poll_tag().unwrap() {
        let kind = match tag.kind {
            flv_mux::TagKind::Audio => MediaKind::Audio,
            flv_mux::TagKind::Video => MediaKind::Video,
            _ => continue,
        };
        publisher.send(kind, tag.timestamp, tag.body.clone());
        sent.push((kind, tag.timestamp, tag.body));
    }
    let received = player.collect(Duration::from_secs(2));
    let video = |messages: &[(MediaKind, u32, bytes::Bytes)]| -> Vec<_> {
        let frames = messages
            .iter()
            .filter(|(kind, _, body)| *kind == MediaKind::Video && body.get(1) == Some(&1));
        frames.map(|(_, timestamp, body)| (*timestamp, body.clone())).collect()
    };
    let (sent, received) = (video(&sent), video(&received));
    assert_eq!(sent.len(), packets(&source).iter().filter(|p| p.stream == "video").count());
    assert_eq!(received, sent);
}
