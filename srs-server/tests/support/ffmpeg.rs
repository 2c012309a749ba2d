//! ffmpeg and ffprobe: encoders, players, and what they say of a file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use super::wait_for;

/// Which ffmpeg.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Version {
    /// The distribution's, which knows no enhanced RTMP.
    Old,
    /// A current one, which `test.sh` puts beside the build.
    Current,
}

impl Version {
    pub(crate) fn command(self) -> Command {
        let Self::Current = self else { return Command::new("ffmpeg") };
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("tools/imageio_ffmpeg/binaries");
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let program = files
            .map(|file| file.path())
            .find(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-"))
            })
            .unwrap_or_else(|| panic!("no ffmpeg in {}: run ./test.sh once", folder.display()));
        Command::new(program)
    }
}

/// An ffmpeg at work; killed when dropped.
pub(crate) struct Ffmpeg {
    child: Child,
    /// The file it writes, when it is a player.
    pub(crate) output: PathBuf,
}

impl Ffmpeg {
    /// Sends `file` to `url` in real time, without transcoding.
    pub(crate) fn publish(file: &Path, url: &str) -> Self {
        Self::publish_by(Version::Old, file, url)
    }

    /// Sends `file` to `url` in real time, without transcoding.
    pub(crate) fn publish_by(version: Version, file: &Path, url: &str) -> Self {
        let mut command = version.command();
        command.args(["-v", "error", "-re", "-i"]).arg(file);
        command.args(["-map", "0", "-c", "copy", "-f", "flv"]);
        command.args(["-flvflags", "no_duration_filesize", url]);
        Self::spawn(command, PathBuf::new())
    }

    /// The same file over and over.
    pub(crate) fn publish_forever(file: &Path, url: &str) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(file);
        command.args(["-c", "copy", "-f", "flv", url]);
        Self::spawn(command, PathBuf::new())
    }

    /// Plays `url` into a file, without transcoding.
    pub(crate) fn record(url: &str) -> Self {
        Self::record_by(Version::Old, url)
    }

    /// Plays `url` into a file, without transcoding.
    pub(crate) fn record_by(version: Version, url: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("recorded-{}-{count}.flv", std::process::id());
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut command = version.command();
        // Copied timestamps, so that what is compared is what was on the wire.
        command.args(["-v", "error", "-y", "-copyts", "-i", url]);
        command.args(["-map", "0", "-c", "copy", "-f", "flv"]).arg(&output);
        Self::spawn(command, output)
    }

    /// Runs an ffmpeg that was put together elsewhere.
    pub(crate) fn spawn(mut command: Command, output: PathBuf) -> Self {
        let child = command.stdin(Stdio::null()).spawn().expect("ffmpeg is installed");
        Self { child, output }
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("end of ffmpeg", Duration::from_secs(60), || self.child.try_wait().unwrap())
    }

    /// Ends it without a farewell, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A packet as ffprobe lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) stream: String,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) size: usize,
    pub(crate) key: bool,
}

/// The packets of a file in order, times in ms.
pub(crate) fn packets(file: &Path) -> Vec<Packet> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=codec_type,pts,dts,size,flags"])
        .args(["-of", "compact=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let packet = |line: &str| {
        let fields: BTreeMap<_, _> = line.split('|').filter_map(|f| f.split_once('=')).collect();
        Some(Packet {
            stream: (*fields.get("codec_type")?).to_owned(),
            pts: fields.get("pts")?.parse().ok()?,
            dts: fields.get("dts")?.parse().ok()?,
            size: fields.get("size")?.parse().ok()?,
            key: fields.get("flags")?.starts_with('K'),
        })
    };
    text.lines().filter_map(packet).collect()
}

/// The checksums of all decoded frames of a file, per stream type.
pub(crate) fn decoded_hashes(file: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let mut hashes = BTreeMap::new();
    for (name, map) in [("video", "0:v?"), ("audio", "0:a?")] {
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(file)
            .args(["-map", map, "-fps_mode", "passthrough", "-f", "framemd5", "-"])
            .output()
            .expect("ffmpeg is installed");
        let text = String::from_utf8(output.stdout).unwrap();
        let list: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
            .collect();
        hashes.insert(name, list);
    }
    hashes
}

/// Every packet of a file, then every frame as it is decoded, as a current ffmpeg sees them:
/// track, times, size and checksum of each. A packet of nothing, which its muxer writes for some
/// codecs' headers and no publisher sends, does not count.
pub(crate) fn contents(file: &Path) -> Vec<String> {
    const OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
    let mut contents = Vec::new();
    for codecs in [&["-c", "copy"][..], &["-fps_mode", "passthrough"]] {
        let output = Version::Current
            .command()
            .args(["-v", "error", "-copyts", "-i"])
            .arg(file)
            .args(["-map", "0:v?", "-map", "0:a?"])
            .args(codecs)
            .args(["-f", "framemd5", "-"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines =
            text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(OF_NOTHING));
        contents.extend(lines.map(str::to_owned));
    }
    contents
}

/// The checksums of the pictures of a file, as a current ffmpeg decodes it.
pub(crate) fn pictures(file: &Path) -> Vec<String> {
    let text = decoded(file, &["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// The sound of a file at 48 kHz, as a current ffmpeg decodes it, of so many channels one after the
/// other.
pub(crate) fn samples(file: &Path, channels: u32) -> Vec<f32> {
    let channels = channels.to_string();
    let options = ["-map", "0:a", "-ar", "48000", "-ac", &channels, "-f", "f32le", "-"];
    let bytes = decoded(file, &options);
    bytes.chunks_exact(4).map(|sample| f32::from_le_bytes(sample.try_into().unwrap())).collect()
}

/// What a current ffmpeg makes of a file; it finds nothing to complain about.
pub(crate) fn decoded(file: &Path, options: &[&str]) -> Vec<u8> {
    let mut command = Version::Current.command();
    command.args(["-v", "error", "-i"]).arg(file).args(options);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}");
    output.stdout
}
