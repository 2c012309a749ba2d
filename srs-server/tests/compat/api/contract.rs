//! Every answer, field by field: against what SRS's users rely on, and against the description
//! that the API gives of itself.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::get;
use crate::support::{Clip, Ffmpeg, RtmpClient, TestServer, clip};

/// A server with a publisher and players of both kinds.
struct Live {
    server: TestServer,
    _publisher: Ffmpeg,
    _flv: Ffmpeg,
    _rtmp: RtmpClient,
}

impl Live {
    fn start() -> Self {
        let server = TestServer::start();
        let publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
        let flv = Ffmpeg::record(&server.flv_url("a"));
        let mut rtmp = RtmpClient::play(&server.rtmp_url("a"));
        server.wait_for_client("a", "fmle-publish");
        server.wait_for_client("a", "flv-play");
        rtmp.collect(Duration::from_secs(1));
        Self { server, _publisher: publisher, _flv: flv, _rtmp: rtmp }
    }

    /// The id of the first of a list.
    fn id(&self, list: &str) -> String {
        self.server.api(list)[list][0]["id"].as_str().unwrap().to_owned()
    }
}

/// What is at a place of an answer: its names, each with its JSON type.
///
/// `s` string, `i` integer, `n` number, `b` boolean, `o` object, `a` array.
const SHAPES: &[(&str, &str, &str)] = &[
    ("/", "", "code:i server:s service:s pid:s urls:o"),
    ("/", "/urls", "api:s"),
    ("/api/", "", "code:i server:s service:s pid:s urls:o"),
    ("/api/", "/urls", "v1:s"),
    ("/api/v1/", "", "code:i server:s service:s pid:s urls:o tests:o"),
    ("/api/v1/versions", "", "code:i server:s service:s pid:s data:o"),
    ("/api/v1/versions", "/data", "major:i minor:i revision:i version:s"),
    ("/api/v1/authors", "/data", "license:s contributors:s"),
    ("/api/v1/features", "/data", "options:s options2:s build:s build2:s features:o"),
    (
        "/api/v1/features",
        "/data/features",
        "ssl:b hls:b hds:b callback:b api:b httpd:b dvr:b transcode:b ingest:b stat:b caster:b \
         complex_send:b tcp_nodelay:b so_sendbuf:b mr:b",
    ),
    ("/api/v1/requests", "/data", "uri:s path:s METHOD:s headers:o"),
    ("/api/v1/requests", "/data/headers", "sigature:s version:s link:s time:i"),
    ("/api/v1/summaries", "/data", "ok:b now_ms:i self:o system:o"),
    (
        "/api/v1/summaries",
        "/data/self",
        "version:s pid:i ppid:i argv:s cwd:s mem_kbyte:i mem_percent:n cpu_percent:n srs_uptime:i",
    ),
    (
        "/api/v1/summaries",
        "/data/system",
        "cpu_percent:n disk_read_KBps:i disk_write_KBps:i disk_busy_percent:n mem_ram_kbyte:i \
         mem_ram_percent:n mem_swap_kbyte:i mem_swap_percent:n cpus:i cpus_online:i uptime:n \
         ilde_time:n load_1m:n load_5m:n load_15m:n net_sample_time:i net_recv_bytes:i \
         net_send_bytes:i net_recvi_bytes:i net_sendi_bytes:i srs_sample_time:i srs_recv_bytes:i \
         srs_send_bytes:i conn_sys:i conn_sys_et:i conn_sys_tw:i conn_sys_udp:i conn_srs:i",
    ),
    (
        "/api/v1/rusages",
        "/data",
        "ok:b sample_time:i ru_utime:i ru_stime:i ru_maxrss:i ru_ixrss:i ru_idrss:i ru_isrss:i \
         ru_minflt:i ru_majflt:i ru_nswap:i ru_inblock:i ru_oublock:i ru_msgsnd:i ru_msgrcv:i \
         ru_nsignals:i ru_nvcsw:i ru_nivcsw:i",
    ),
    (
        "/api/v1/self_proc_stats",
        "/data",
        "ok:b sample_time:i percent:n pid:i comm:s state:s ppid:i pgrp:i session:i tty_nr:i \
         tpgid:i flags:i minflt:i cminflt:i majflt:i cmajflt:i utime:i stime:i cutime:i cstime:i \
         priority:i nice:i num_threads:i itrealvalue:i starttime:i vsize:i rss:i rsslim:i \
         startcode:i endcode:i startstack:i kstkesp:i kstkeip:i signal:i blocked:i sigignore:i \
         sigcatch:i wchan:i nswap:i cnswap:i exit_signal:i processor:i rt_priority:i policy:i \
         delayacct_blkio_ticks:i guest_time:i cguest_time:i",
    ),
    (
        "/api/v1/system_proc_stats",
        "/data",
        "ok:b sample_time:i percent:n user:i nice:i sys:i idle:i iowait:i irq:i softirq:i steal:i \
         guest:i",
    ),
    (
        "/api/v1/meminfos",
        "/data",
        "ok:b sample_time:i percent_ram:n percent_swap:n MemActive:i RealInUse:i NotInUse:i \
         MemTotal:i MemFree:i Buffers:i Cached:i SwapTotal:i SwapFree:i",
    ),
    ("/api/v1/vhosts", "", "code:i server:s service:s pid:s vhosts:a"),
    ("/api/v1/vhosts/{vhosts}", "", "code:i server:s service:s pid:s vhost:o"),
    ("/api/v1/vhosts/{vhosts}", "/vhost", VHOST),
    ("/api/v1/vhosts", "/vhosts/0", VHOST),
    ("/api/v1/vhosts", "/vhosts/0/kbps", KBPS),
    ("/api/v1/vhosts", "/vhosts/0/hls", "enabled:b"),
    ("/api/v1/streams", "", "code:i server:s service:s pid:s total:i streams:a"),
    ("/api/v1/streams/{streams}", "", "code:i server:s service:s pid:s stream:o"),
    ("/api/v1/streams/{streams}", "/stream", STREAM),
    ("/api/v1/streams", "/streams/0", STREAM),
    ("/api/v1/streams", "/streams/0/kbps", KBPS),
    ("/api/v1/streams", "/streams/0/publish", "active:b cid:s"),
    ("/api/v1/streams", "/streams/0/video", "codec:s profile:s level:s width:i height:i"),
    ("/api/v1/streams", "/streams/0/audio", "codec:s sample_rate:i channel:i profile:s"),
    ("/api/v1/clients", "", "code:i server:s service:s pid:s total:i clients:a"),
    ("/api/v1/clients/{clients}", "", "code:i server:s service:s pid:s client:o"),
    ("/api/v1/clients/{clients}", "/client", CLIENT),
    ("/api/v1/clients", "/clients/0", CLIENT),
    ("/api/v1/clients", "/clients/1", CLIENT),
    ("/api/v1/clients", "/clients/2", CLIENT),
    ("/api/v1/clients", "/clients/0/kbps", KBPS),
    ("/api/v1/raw?rpc=raw", "", "code:i http_api:o"),
    ("/api/v1/raw?rpc=raw", "/http_api", "enabled:b listen:s crossdomain:b raw_api:o"),
    (
        "/api/v1/raw?rpc=raw",
        "/http_api/raw_api",
        "enabled:b allow_reload:b allow_query:b allow_update:b",
    ),
    ("/api/v1/clusters?app=live&stream=a", "", "code:i data:o"),
    ("/api/v1/clusters?app=live&stream=a", "/data", "query:o origin:o"),
    ("/api/v1/clusters?app=live&stream=a", "/data/query", "ip:s vhost:s app:s stream:s"),
    ("/api/v1/clusters?app=live&stream=a", "/data/origin", "ip:s port:i vhost:s api:s routers:a"),
    ("/api/v1/tests/requests", "/data", "uri:s path:s METHOD:s headers:o"),
    ("/api/v1/tests/errors", "", "code:i"),
    ("/api/v1/streams/none", "", "code:i"),
];

const KBPS: &str = "recv_30s:i send_30s:i";
const VHOST: &str =
    "id:s name:s enabled:b clients:i streams:i send_bytes:i recv_bytes:i kbps:o hls:o";
const STREAM: &str = "id:s name:s vhost:s app:s tcUrl:s url:s live_ms:i clients:i frames:i \
                      send_bytes:i recv_bytes:i kbps:o publish:o video:o audio:o";
const CLIENT: &str = "id:s vhost:s stream:s ip:s pageUrl:s swfUrl:s tcUrl:s url:s name:s type:s \
                      publish:b alive:n send_bytes:i recv_bytes:i kbps:o";

fn letter(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "s",
        Value::Bool(_) => "b",
        Value::Number(number) if number.is_f64() => "n",
        Value::Number(_) => "i",
        Value::Object(_) => "o",
        Value::Array(_) => "a",
        Value::Null => "null",
    }
}

#[test]
fn answers_have_the_names_and_types_of_srs() {
    let live = Live::start();
    for (path, pointer, shape) in SHAPES {
        let mut path = (*path).to_owned();
        for list in ["vhosts", "streams", "clients"] {
            if path.contains(&format!("{{{list}}}")) {
                path = path.replace(&format!("{{{list}}}"), &live.id(list));
            }
        }
        let answer = super::body(&get(live.server.api, &path));
        let value = answer.pointer(pointer).unwrap_or_else(|| panic!("{path}: no {pointer}"));
        let found: BTreeSet<_> = value
            .as_object()
            .unwrap_or_else(|| panic!("{path}{pointer}: {value}"))
            .iter()
            .map(|(name, value)| format!("{name}:{}", letter(value)))
            .collect();
        let expected: BTreeSet<_> = shape.split_whitespace().map(str::to_owned).collect();
        assert_eq!(found, expected, "{path} {pointer}");
    }
    let index = live.server.api("");
    for (name, _) in index["urls"].as_object().unwrap() {
        let answer = live.server.api(name);
        assert!(answer.is_object(), "{name}");
    }
    for name in ["versions", "streams", "clients", "vhosts", "summaries", "raw", "clusters"] {
        assert!(index["urls"][name].is_string(), "{name}");
    }
}

#[test]
fn a_stream_of_srs_is_told_as_srs_does() {
    let live = Live::start();
    let client = &live.server.api("clients")["clients"];
    let kinds: Vec<_> = client.as_array().unwrap().iter().map(|c| c["type"].clone()).collect();
    for kind in ["fmle-publish", "flv-play", "rtmp-play"] {
        assert!(kinds.contains(&kind.into()), "{kinds:?}");
    }
    for client in client.as_array().unwrap() {
        assert_eq!(client["vhost"], live.id("vhosts"));
        assert_eq!(client["stream"], live.id("streams"));
        assert_eq!(client["url"], "/live/a");
        assert_eq!(client["publish"], client["type"] == "fmle-publish");
        let alive = client["alive"].as_f64().unwrap();
        assert!((0.5..300.0).contains(&alive), "{client}");
    }
    let stream = &live.server.api("streams")["streams"][0];
    assert_eq!(stream["vhost"], live.id("vhosts"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let ms = stream["live_ms"].as_u64().unwrap();
    assert!(u128::from(ms).abs_diff(now.as_millis()) < 60_000, "{ms} is not the wall clock");
    let vhost = live.id("vhosts");
    assert!(vhost.starts_with("vid-") && vhost.len() == 11, "{vhost}");
    for (list, code) in [("vhosts", 2047), ("streams", 2048), ("clients", 2049)] {
        assert_eq!(live.server.api(&format!("{list}/none"))["code"], code);
    }
}

#[test]
fn the_description_describes_every_answer() {
    let live = Live::start();
    let description = live.server.api("openapi.json");
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));
    let paths = description["paths"].as_object().unwrap();
    let mut checked = 0;
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            // What closes clients, or begins sessions, is tested by itself.
            if method != "get" {
                continue;
            }
            let Some(answer) = operation["responses"].get("200") else {
                assert_eq!(path, "/api/v1/tests/redirects");
                continue;
            };
            assert!(operation["summary"].is_string(), "{path} says nothing of itself");
            let list = path.rsplit('/').nth(1).unwrap();
            let asked = match path.as_str() {
                "/api/v1/raw" => "/api/v1/raw?rpc=raw".to_owned(),
                "/api/v1/clusters" => "/api/v1/clusters?app=live&stream=a".to_owned(),
                path if path.ends_with("{id}") => path.replace("{id}", &live.id(list)),
                path => path.to_owned(),
            };
            let text = get(live.server.api, &asked);
            if answer["content"]["text/plain"].is_object() {
                assert_eq!(path, "/metrics");
                assert!(text.contains("content-type: text/plain"), "{text}");
                continue;
            }
            let value = super::body(&text);
            let schema = &answer["content"]["application/json"]["schema"];
            if let Err(error) = check(&description, schema, &value) {
                panic!("{asked}: {error}\n{value:#}\n{schema:#}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked} answers");
    for path in ["/whip/{app}/{stream}", "/whep/{app}/{stream}", "/rtc/v1/publish"] {
        assert!(paths[path]["post"].is_object(), "{path} isn't described");
    }
    // Each path that the index names is described.
    for name in live.server.api("")["urls"].as_object().unwrap().keys() {
        assert!(paths.contains_key(&format!("/api/v1/{name}")), "{name} isn't described");
    }
}

/// Whether a value is what its schema says, with no name too few or too many.
fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(root, schema);
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let all: Vec<_> = choices.iter().map(|one| check(root, one, value)).collect();
            return all.iter().find(|one| one.is_ok()).or(all.first()).unwrap().clone();
        }
    }
    if schema["allOf"].is_array() || schema["properties"].is_object() {
        let object = value.as_object().ok_or_else(|| format!("{value} is no object"))?;
        let (mut properties, mut required) = (Vec::new(), Vec::new());
        collect(root, schema, &mut properties, &mut required);
        for name in required {
            if !object.contains_key(&name) {
                return Err(format!("no {name}"));
            }
        }
        for (name, value) in object {
            let (_, schema) = properties
                .iter()
                .find(|(found, _)| found == name)
                .ok_or_else(|| format!("{name} isn't described"))?;
            check(root, schema, value).map_err(|error| format!("{name}: {error}"))?;
        }
        return Ok(());
    }
    if let Some(items) = schema.get("items") {
        let array = value.as_array().ok_or_else(|| format!("{value} is no array"))?;
        return array.iter().try_for_each(|value| check(root, items, value));
    }
    if let Some(schema) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
        let object = value.as_object().ok_or_else(|| format!("{value} is no object"))?;
        return object.values().try_for_each(|value| check(root, schema, value));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("{schema} says no type")),
    };
    let is = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Null => "null",
    };
    match types.contains(&is) {
        true => Ok(()),
        false => Err(format!("{value} is no {types:?}")),
    }
}

/// All properties of a schema, and the names of those that must be there.
fn collect<'a>(
    root: &'a Value,
    schema: &'a Value,
    properties: &mut Vec<(String, &'a Value)>,
    required: &mut Vec<String>,
) {
    let schema = resolve(root, schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(root, part, properties, required);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        properties.push((name.clone(), property));
    }
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.extend(names.map(str::to_owned));
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}
