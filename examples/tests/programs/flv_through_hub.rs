//! `flv_through_hub` gives back the file that it was given.

use std::{fs, process::Output};

use crate::support::{Folder, clip, example, packets, run, text};

fn through_hub(from: &str, to: &str) -> Output {
    run(example("flv_through_hub"), &[from, to])
}

#[test]
fn files_come_out_as_they_went_in() {
    let folder = Folder::new();
    let out = folder.path("out.flv");
    for (name, codecs) in [
        ("av.flv", &["-c:v", "libx264", "-bf", "2", "-c:a", "aac"][..]),
        ("video.flv", &["-c:v", "libx264", "-an"]),
        ("audio.flv", &["-vn", "-c:a", "libmp3lame"]),
        ("old.flv", &["-c:v", "flv", "-c:a", "pcm_mulaw", "-ar", "8000"]),
    ] {
        let clip = clip(&folder, name, "3", codecs);
        let done = through_hub(&clip, &out);
        assert!(done.status.success(), "{name}: {}", text(&done.stderr));
        let (before, after) = (fs::read(&clip).unwrap(), fs::read(&out).unwrap());
        assert!(before == after, "{name}: {} bytes became {}", before.len(), after.len());
    }
}

#[test]
fn a_file_that_starts_late_starts_at_zero_afterwards() {
    let folder = Folder::new();
    let (late, out) = (folder.path("late.flv"), folder.path("out.flv"));
    let clip = clip(&folder, "clip.flv", "2", &["-c:v", "libx264", "-bf", "0", "-c:a", "aac"]);
    #[rustfmt::skip]
    let made = run("ffmpeg", &[
        "-v", "error", "-i", &clip, "-c", "copy", "-output_ts_offset", "7", "-flvflags",
        "no_duration_filesize", &late,
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(through_hub(&late, &out).status.success());
    for kind in ["v", "a"] {
        let (before, after) = (packets(&late, kind), packets(&out, kind));
        assert!(before[0].dts >= 7000);
        assert_eq!(after.len(), before.len());
        let shift = packets(&late, "v")[0].dts.min(packets(&late, "a")[0].dts);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!((after.dts, after.pts), (before.dts - shift, before.pts - shift));
            assert_eq!(after.hash, before.hash);
        }
    }
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_whole() {
    let folder = Folder::new();
    let (cut, out) = (folder.path("cut.flv"), folder.path("out.flv"));
    let whole = fs::read(clip(&folder, "clip.flv", "1", &["-c:v", "libx264", "-an"])).unwrap();
    fs::write(&cut, &whole[..whole.len() - 100]).unwrap();
    let done = through_hub(&cut, &out);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("cut off"), "{}", text(&done.stderr));
    let written = fs::read(&out).unwrap();
    assert!(written.len() > 1000 && whole.starts_with(&written));
}

#[test]
fn what_is_no_flv_is_an_error() {
    let folder = Folder::new();
    let (other, out) = (folder.path("other"), folder.path("out.flv"));
    fs::write(&other, "something else").unwrap();
    let done = through_hub(&other, &out);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("not with \"FLV\""), "{}", text(&done.stderr));
    fs::write(&other, "").unwrap();
    assert_eq!(through_hub(&other, &out).status.code(), Some(1));
    assert_eq!(run(example("flv_through_hub"), &[&other]).status.code(), Some(2));
}
