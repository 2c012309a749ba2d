//! What a reload can't change.

use srs_config::Config;

/// Directives that count when the process starts alone, and that differ.
pub(crate) fn needs_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    macro_rules! differing {
        ($($path:literal $($field:ident).+;)+) => {
            [$(($path, before.$($field).+ != after.$($field).+)),+]
        };
    }
    differing! {
        "listen" listen;
        "http_server.enabled" http_server.enabled;
        "http_server.listen" http_server.listen;
        "http_api.enabled" http_api.enabled;
        "http_api.listen" http_api.listen;
        "rtc_server.enabled" rtc_server.enabled;
        "rtc_server.listen" rtc_server.listen;
        "rtc_server.tcp" rtc_server.tcp;
        "exporter.enabled" exporter.enabled;
        "exporter.listen" exporter.listen;
        "pid" pid;
        "daemon" daemon;
        "work_dir" work_dir;
        "asprocess" asprocess;
        "server_id" server_id;
        "srs_log_tank" srs_log_tank;
        "srs_log_level" srs_log_level;
        "srs_log_level_v2" srs_log_level_v2;
        "srs_log_file" srs_log_file;
        "utc_time" utc_time;
        "force_grace_quit" force_grace_quit;
    }
    .into_iter()
    .filter_map(|(path, differs)| differs.then_some(path))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let before = Config::default();
        let mut after = before.clone();
        after.max_connections = Some(7);
        assert!(needs_restart(&before, &after).is_empty());
        after.pid = "other.pid".into();
        after.http_api.enabled = true;
        assert_eq!(needs_restart(&before, &after), ["http_api.enabled", "pid"]);
    }
}
