//! Variables of the environment: which directive each sets, and values that name one.

use std::collections::BTreeSet;

use crate::{
    Problem, Spec,
    report::{nearest, shortened},
};

const PREFIX: &str = "SRS_";
/// Variables with the prefix that are no directives, but have a meaning.
const OTHERS: [&str; 2] = ["SRS_CONFIG_FILE", "SRS_ENV_ONLY"];

/// The variables that set the directive at `path`, the one that counts first.
pub(crate) fn variables(path: &str) -> Vec<String> {
    let key = format!("SRS_{}", path.replace('.', "_").to_uppercase());
    let short = key.strip_prefix("SRS_SRS_").map(|rest| format!("SRS_{rest}"));
    let old = (path == "vhost.srt.srt_to_rtmp").then(|| "SRS_VHOST_SRT_TO_RTMP".to_owned());
    // SRS 7 moved both into a block, and not the variables.
    let moved = matches!(path, "listen" | "chunk_size")
        .then(|| format!("SRS_RTMP_{}", path.to_uppercase()));
    [Some(key), short, old, moved].into_iter().flatten().collect()
}

/// What an argument of the form `$NAME` stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// The variable of this name.
    Variable(&'a str),
    /// `$$NAME`: the text `$NAME` itself.
    Text(&'a str),
}

/// Whether an argument stands for something else.
pub(crate) fn reference(arg: &str) -> Option<Reference<'_>> {
    let name = arg.strip_prefix('$')?;
    if is_name(name) {
        return Some(Reference::Variable(name));
    }
    (name.starts_with('$') && is_name(name.trim_start_matches('$')))
        .then_some(Reference::Text(name))
}

/// An argument that [`reference`] leaves as it was.
pub(crate) fn escaped(arg: String) -> String {
    if reference(&arg).is_some() { format!("${arg}") } else { arg }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Tells those of `names` that set nothing, though they look as if they should.
pub(crate) fn without_effect(
    names: &BTreeSet<String>,
    asked: &BTreeSet<String>,
    specs: &[Spec],
) -> Vec<Problem> {
    let known: Vec<(String, &str)> = specs
        .iter()
        .flat_map(|spec| variables(&spec.path).into_iter().map(|key| (key, spec.path.as_str())))
        .collect();
    let keys = known.iter().map(|(key, _)| key.as_str()).chain(OTHERS);
    let keys: Vec<&str> = keys.filter_map(|key| key.strip_prefix(PREFIX)).collect();
    let text = |name: &String| {
        if let Some((_, path)) = known.iter().find(|(key, _)| key == name) {
            return format!("sets `{path}`, but there is no block that it could apply to");
        }
        let mut text = "names no directive".to_owned();
        if let Some(near) = name.strip_prefix(PREFIX).and_then(|name| nearest(name, &keys)) {
            text.push_str(&format!("; did you mean {PREFIX}{near}?"));
        }
        text
    };
    names
        .iter()
        .filter(|name| name.starts_with(PREFIX) && !asked.contains(*name))
        .filter(|name| !OTHERS.contains(&name.as_str()) && !is_of_kubernetes(name, names))
        .map(|name| Problem::warning(crate::Position::of(&shortened(name)), text(name)))
        .collect()
}

/// Whether Kubernetes set the variable because there is a service called `srs` or `srs-…`.
fn is_of_kubernetes(name: &str, names: &BTreeSet<String>) -> bool {
    let is_of = |service: &str| names.contains(&format!("{service}_SERVICE_HOST"));
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"]
        .iter()
        .any(|part| name.rmatch_indices(part).any(|(at, _)| name.get(..at).is_some_and(is_of)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_variables() {
        assert_eq!(variables("http_api.listen"), ["SRS_HTTP_API_LISTEN"]);
        assert_eq!(variables("vhost.rtc.enabled"), ["SRS_VHOST_RTC_ENABLED"]);
        assert_eq!(variables("srs_log_tank"), ["SRS_SRS_LOG_TANK", "SRS_LOG_TANK"]);
        assert_eq!(variables("listen"), ["SRS_LISTEN", "SRS_RTMP_LISTEN"]);
    }

    #[test]
    fn a_dollar_and_a_name_stand_for_a_variable() {
        assert_eq!(reference("$CANDIDATE"), Some(Reference::Variable("CANDIDATE")));
        assert_eq!(reference("$$CANDIDATE"), Some(Reference::Text("$CANDIDATE")));
        assert_eq!(reference("$$$A"), Some(Reference::Text("$$A")));
        for text in ["", "$", "$$", "$1", "$a-b", "a$b", "$a b", "$$1"] {
            assert_eq!(reference(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_escaped_stands_for_itself() {
        for text in ["$A", "$$A", "$$$A", "$", "A", "$1", ""] {
            let escaped = escaped(text.to_owned());
            match reference(&escaped) {
                None => assert_eq!(escaped, text),
                other => assert_eq!(other, Some(Reference::Text(text))),
            }
        }
    }

    fn warnings(names: &[&str]) -> Vec<String> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let asked = BTreeSet::from(["SRS_LISTEN".to_owned()]);
        let problems = without_effect(&names, &asked, &crate::specs());
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_variable_that_names_no_directive_is_told_once() {
        assert_eq!(warnings(&["PATH", "SRS_LISTEN", "SRS_CONFIG_FILE", "SRS_ENV_ONLY"]), [""; 0]);
        assert_eq!(
            warnings(&["SRS_LISTN", "SRS_XYZZY_PLUGH"]),
            [
                "SRS_LISTN: names no directive; did you mean SRS_LISTEN?",
                "SRS_XYZZY_PLUGH: names no directive",
            ]
        );
    }

    #[test]
    fn a_variable_without_a_block_is_told() {
        assert_eq!(
            warnings(&["SRS_STREAM_CASTER_ENABLED"]),
            [
                "SRS_STREAM_CASTER_ENABLED: sets `stream_caster.enabled`, but there is no block that it \
             could apply to"
            ]
        );
    }

    #[test]
    fn kubernetes_may_set_variables_of_a_service() {
        assert_eq!(
            warnings(&[
                "SRS_SERVICE_HOST",
                "SRS_SERVICE_PORT",
                "SRS_SERVICE_PORT_RTMP",
                "SRS_PORT",
                "SRS_PORT_1935_TCP",
                "SRS_PORT_1935_TCP_ADDR",
                "SRS_EDGE_SERVICE_HOST",
                "SRS_EDGE_PORT_80_TCP_PROTO",
            ]),
            [""; 0]
        );
        assert_eq!(warnings(&["SRS_HTTP_API_PORT"]).len(), 1, "there is no such service");
    }
}
