//! One client's calls, in virtual time and without sockets.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use srs_config::HttpHooks;
use tokio::{
    runtime::Handle,
    select,
    time::{Instant, sleep},
};

use super::*;

/// What a hook server does with a call.
#[derive(Clone)]
enum Script {
    Yes,
    No,
    /// Yes, after this time.
    YesAfter(Duration),
    Hang,
    Break,
}

/// Hook servers that do as they are told, by URL; yes where nothing is said.
#[derive(Clone, Default)]
struct Fake {
    scripts: Arc<Mutex<HashMap<&'static str, Script>>>,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Post for Fake {
    fn post(&self, url: &str, body: Bytes) -> Posting {
        let body = serde_json::from_slice(&body).unwrap();
        self.calls.lock().unwrap().push((url.to_owned(), body));
        let script = self.scripts.lock().unwrap().get(url).cloned().unwrap_or(Script::Yes);
        let reply = |body: &str| Ok(Reply { status: 200, body: Some(body.into()) });
        Box::pin(async move {
            match script {
                Script::Yes => reply("0"),
                Script::No => reply(r#"{"code":1}"#),
                Script::YesAfter(time) => {
                    sleep(time).await;
                    reply("0")
                }
                Script::Hang => pending().await,
                Script::Break => Err("reset".to_owned()),
            }
        })
    }
}

impl Fake {
    fn script(&self, url: &'static str, script: Script) {
        self.scripts.lock().unwrap().insert(url, script);
    }

    fn hooks(&self) -> Hooks {
        Hooks::with(Handle::current(), "vid-1".into(), "service".into(), Box::new(self.clone()))
    }

    fn session(&self, hooks: &Hooks) -> HookSession {
        self.session_with(hooks, &all())
    }

    fn session_with(&self, hooks: &Hooks, urls: &HttpHooks) -> HookSession {
        let link = Arc::new(Link::default());
        hooks.session(
            urls,
            ConnectionFacts { client_id: "c".into(), ip: [127, 0, 0, 1].into(), link },
        )
    }

    /// The URLs called, in order.
    fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(url, _)| url.clone()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_of_in_order() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    // The slowest call first: order doesn't come from speed.
    fake.script("on_connect", Script::YesAfter(Duration::from_secs(20)));
    let session = fake.session(&hooks);
    session.connect(facts("")).await.unwrap();
    let told = session.publish(facts("a")).await.unwrap();
    drop(told);
    let told = session.publish(facts("b")).await.unwrap();
    drop(session);
    drop(told);
    hooks.drain(Duration::from_secs(1)).await;
    let expected = ["on_connect", "on_publish", "on_unpublish", "on_publish", "on_unpublish"];
    assert_eq!(fake.called(), [&expected[..], &["on_close"]].concat());
    let streams: Vec<_> =
        fake.calls.lock().unwrap().iter().map(|(_, body)| body["stream"].clone()).collect();
    assert_eq!(streams[1..5], ["a", "a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_open_is_told_to_end_the_last_first() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    let session = fake.session(&hooks);
    session.connect(facts("")).await.unwrap();
    let publishing = session.publish(facts("a")).await.unwrap();
    let playing = session.play(facts("b")).await.unwrap();
    drop(session);
    drop((publishing, playing));
    hooks.drain(Duration::from_secs(1)).await;
    let called = fake.called();
    assert_eq!(called[1..], ["on_publish", "on_play", "on_stop", "on_unpublish", "on_close"]);
}

#[tokio::test(start_paused = true)]
async fn no_is_no_and_nothing_ends() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    fake.script("on_publish", Script::No);
    fake.script("on_play", Script::Break);
    let session = fake.session(&hooks);
    let error = session.publish(facts("a")).await.unwrap_err();
    assert_eq!(error.to_string(), r#"on_publish answered code 1: "{\"code\":1}""#);
    assert_eq!(error.code(), 3064);
    let error = session.play(facts("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "on_play gave no answer: reset");
    assert_eq!(error.code(), 1018);
    fake.script("on_connect", Script::No);
    session.connect(facts("")).await.unwrap_err();
    drop(session);
    hooks.drain(Duration::from_secs(1)).await;
    assert_eq!(fake.called(), ["on_publish", "on_play", "on_connect"]);
}

#[tokio::test(start_paused = true)]
async fn every_url_must_say_yes_and_the_first_no_ends_it() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    let mut urls = all();
    urls.on_publish = words(&["p1", "p2", "p3"]);
    urls.on_unpublish = words(&["u1", "u2"]);
    fake.script("u1", Script::No);
    let session = fake.session_with(&hooks, &urls);
    drop(session.publish(facts("a")).await.unwrap());
    fake.script("p2", Script::No);
    session.publish(facts("a")).await.unwrap_err();
    drop(session);
    hooks.drain(Duration::from_secs(1)).await;
    assert_eq!(fake.called(), ["p1", "p2", "p3", "u1", "u2", "p1", "p2"]);
}

/// The client goes while the question is open, and then the answer is yes.
#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_ends_at_once() {
    for is_session_over in [true, false] {
        let fake = Fake::default();
        let hooks = fake.hooks();
        fake.script("on_publish", Script::YesAfter(Duration::from_secs(10)));
        let session = fake.session(&hooks);
        session.connect(facts("")).await.unwrap();
        select! {
            biased;
            _ = session.publish(facts("a")) => unreachable!("the hook server takes longer"),
            () = sleep(Duration::from_secs(1)) => {}
        }
        if is_session_over {
            drop(session);
        } else {
            sleep(Duration::from_secs(20)).await;
            assert_eq!(fake.called(), ["on_connect", "on_publish", "on_unpublish"]);
            drop(session);
        }
        hooks.drain(Duration::from_secs(60)).await;
        assert_eq!(fake.called(), ["on_connect", "on_publish", "on_unpublish", "on_close"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_went_before_the_question_is_not_asked() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    fake.script("on_unpublish", Script::YesAfter(Duration::from_secs(10)));
    let session = fake.session(&hooks);
    drop(session.publish(facts("a")).await.unwrap());
    drop(session.publish(facts("b")));
    drop(session);
    hooks.drain(Duration::from_secs(60)).await;
    assert_eq!(fake.called(), ["on_publish", "on_unpublish"]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_server_that_hangs_is_no_and_delays_its_client_alone() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    fake.script("on_play", Script::Hang);
    let (slow, quick) = (fake.session(&hooks), fake.session(&hooks));
    let begun = Instant::now();
    let asking = tokio::spawn(slow.play(facts("a")));
    drop(quick.publish(facts("a")).await.unwrap());
    drop(quick);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "on_play gave no answer within 30 s");
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    drop(slow);
    hooks.drain(Duration::from_secs(1)).await;
    assert_eq!(fake.called(), ["on_play", "on_publish", "on_unpublish"]);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_the_last_call_but_not_for_ever() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    hooks.drain(Duration::from_secs(1)).await;
    let begun = Instant::now();
    fake.script("on_unpublish", Script::YesAfter(Duration::from_secs(3)));
    let session = fake.session(&hooks);
    let told = session.publish(facts("a")).await.unwrap();
    drop((session, told));
    hooks.drain(Duration::from_secs(5)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    fake.script("on_unpublish", Script::Hang);
    let session = fake.session(&hooks);
    let told = session.publish(facts("a")).await.unwrap();
    drop((session, told));
    hooks.drain(Duration::from_secs(5)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_open_is_bounded() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    let session = fake.session(&hooks);
    let mut open = Vec::new();
    let error = loop {
        match session.publish(facts("a")).await {
            Ok(told) => open.push(told),
            Err(error) => break error,
        }
    };
    assert_eq!(error, HookError::TooMany { limit: 16 });
    assert_eq!(open.len(), 16);
    open.pop();
    // The permit comes back once the end is told.
    sleep(Duration::from_secs(1)).await;
    open.push(session.publish(facts("a")).await.unwrap());
    drop((session, open));
    hooks.drain(Duration::from_secs(1)).await;
    let count = |action: &str| fake.called().iter().filter(|url| *url == action).count();
    assert_eq!((count("on_publish"), count("on_unpublish")), (17, 17));
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_question_is_told() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    let mut urls = HttpHooks::default();
    urls.enabled = true;
    urls.on_unpublish = words(&["on_unpublish"]);
    urls.on_close = words(&["on_close"]);
    let session = fake.session_with(&hooks, &urls);
    session.connect(facts("")).await.unwrap();
    let told = session.publish(facts("a")).await.unwrap();
    drop((session, told));
    hooks.drain(Duration::from_secs(1)).await;
    assert_eq!(fake.called(), ["on_unpublish", "on_close"]);
}

#[tokio::test(start_paused = true)]
async fn hooks_that_are_off_call_nobody() {
    let fake = Fake::default();
    let hooks = fake.hooks();
    let mut off = all();
    off.enabled = false;
    let mut nobody = HttpHooks::default();
    nobody.enabled = true;
    for urls in [off, nobody] {
        let session = fake.session_with(&hooks, &urls);
        session.connect(facts("")).await.unwrap();
        drop(session.play(facts("a")).await.unwrap());
    }
    hooks.drain(Duration::from_secs(1)).await;
    assert!(fake.called().is_empty());
}

/// A server whose runtime is gone asks nobody, and so allows nothing.
#[test]
fn without_a_teller_nothing_is_allowed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fake = Fake::default();
    let (hooks, session) = runtime.block_on(async {
        let hooks = fake.hooks();
        let session = fake.session(&hooks);
        (hooks, session)
    });
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(session.publish(facts("a"))).unwrap_err();
    assert_eq!(error, HookError::Gone);
    drop(session);
    runtime.block_on(hooks.drain(Duration::from_secs(60)));
    assert!(fake.called().is_empty());
}

/// Hooks for all events, each with its name for a URL.
fn all() -> HttpHooks {
    let mut hooks = HttpHooks::default();
    hooks.enabled = true;
    hooks.on_connect = words(&["on_connect"]);
    hooks.on_close = words(&["on_close"]);
    hooks.on_publish = words(&["on_publish"]);
    hooks.on_unpublish = words(&["on_unpublish"]);
    hooks.on_play = words(&["on_play"]);
    hooks.on_stop = words(&["on_stop"]);
    hooks
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn facts(stream: &str) -> StreamFacts {
    StreamFacts { stream: stream.to_owned(), ..StreamFacts::default() }
}
