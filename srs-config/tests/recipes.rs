//! Files of the kind that users have: each is read without an error, and written so that it is
//! read to the same again.

use std::{fs, path::Path};

use srs_config::{Config, Loaded, Source, load};

/// Reads a recipe. The variable and the parts that some of them name are there.
fn read(name: &str, text: &str) -> Loaded {
    let env = |name: &str| (name == "CANDIDATE").then(|| "192.0.2.1".to_owned());
    let file = |asked: &str| match asked {
        "vhosts.part" => Ok("vhost a.example.com { }\nvhost b.example.com { }".to_owned()),
        "http.part" => Ok("http_server { enabled on; }".to_owned()),
        "play.part" => Ok("play { gop_cache off; }".to_owned()),
        _ if asked == name => Ok(text.to_owned()),
        _ => Err("no such file".to_owned()),
    };
    load(Source::File(name), &env, &file)
}

fn recipes() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes");
    let mut recipes: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    recipes.sort();
    assert!(recipes.len() >= 20, "{} recipes", recipes.len());
    recipes
}

#[test]
fn every_recipe_is_read_without_an_error() {
    for (name, text) in recipes() {
        let loaded = read(&name, &text);
        let errors: Vec<_> = loaded.errors().map(ToString::to_string).collect();
        assert_eq!(errors, [""; 0], "{name}");
        assert!(!loaded.findings.is_empty(), "{name}");
        assert_ne!(loaded.config, Config::default(), "{name}");
    }
}

#[test]
fn only_old_spellings_are_warned_of() {
    for (name, text) in recipes() {
        let warnings: Vec<_> = read(&name, &text).warnings().map(ToString::to_string).collect();
        let is_expected = |it: &String| name == "old.conf" && it.contains("is an old spelling");
        assert!(warnings.iter().all(is_expected), "{name}: {warnings:#?}");
        assert_eq!(warnings.is_empty(), name != "old.conf", "{name}");
    }
}

#[test]
fn every_recipe_is_written_so_that_it_is_read_to_the_same() {
    for (name, text) in recipes() {
        let config = read(&name, &text).config;
        let again = read("shown", &config.to_string());
        assert!(again.problems.is_empty(), "{name}: {:#?}", again.problems);
        assert_eq!(again.config, config, "{name}");
    }
}

#[test]
fn old_spellings_mean_what_they_meant() {
    let (_, text) = recipes().into_iter().find(|(name, _)| name == "old.conf").unwrap();
    let config = read("old.conf", &text).config;
    assert!(config.http_server.enabled && config.srt_server.tlpktdrop);
    assert_eq!(config.stream_casters[0].sip.candidate, "192.168.1.3");
    let vhost = &config.vhosts[0];
    assert!(vhost.publish.mr == Some(true) && vhost.rtc.rtmp_to_rtc && !vhost.rtc.keep_bframe);
    assert_eq!(vhost.refer.all, ["github.com", "github.io"]);
    assert!(vhost.http_static.enabled && vhost.refer.enabled);
    assert_eq!(config.vhosts[1].cluster.origin, ["127.0.0.1:1935", "localhost:1935"]);
    assert!(config.vhosts[2].forward.enabled);
    assert_eq!(config.vhosts[2].forward.destination.len(), 2);
}

#[test]
fn profiles_are_written_so_that_they_are_read_to_the_same() {
    for config in [Config::default(), Config::zero_config()] {
        let again = read("shown", &config.to_string());
        assert!(again.problems.is_empty(), "{:#?}", again.problems);
        assert_eq!(again.config, config);
    }
}
