//! From a file and the environment to a [`Config`].

use std::collections::BTreeSet;

use crate::{
    Config, Directive, Finding, Named, Position, Problem, Severity, Spec, block::Block, check,
    environment, include::Files, legacy, reading::Reading, report,
};

/// Where a configuration comes from; the environment lies over each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// Nowhere: the zero-config profile.
    ZeroConfig,
    /// The environment alone, over SRS's defaults, with a default vhost; as SRS, in the
    /// foreground and with the log on the console.
    Environment,
    /// This file, over SRS's defaults.
    File(&'a str),
}

/// A configuration that was read, and what there is to say of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// What was read; where there are errors, defaults stand for what could not be read.
    pub config: Config,
    /// Each directive that was set, in the order of the file.
    pub findings: Vec<Finding>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
    /// The variables that would have been heeded.
    asked: BTreeSet<String>,
}

impl Loaded {
    /// The errors, for which a server must not start.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The warnings, with which it may.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// One line that names the directives that were set to something else than their default and
    /// are accepted, but not applied; `None` where there are none. Those of blocks that aren't
    /// enabled are left out.
    pub fn not_applied(&self) -> Option<String> {
        report::not_applied(&self.findings, &specs())
    }

    /// Adds a warning for each of the environment's variables that begins with `SRS_` and sets
    /// nothing. `names` are those of all variables.
    #[must_use]
    pub fn with_variables(mut self, names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().collect();
        self.problems.extend(environment::without_effect(&names, &self.asked, &specs()));
        self
    }
}

/// Reads a configuration. `env` looks a variable of the environment up, and `file` reads the text
/// of a file, or says why it can't; the names of included files are handed to it as they are
/// written.
///
/// It always ends with a configuration: see [`Loaded::errors`].
pub fn load(
    source: Source<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    file: &dyn Fn(&str) -> Result<String, String>,
) -> Loaded {
    let mut reading = Reading::new(env);
    let mut config = match source {
        Source::ZeroConfig => Config::zero_config(),
        Source::Environment => Config::environment_only(),
        Source::File(_) => Config::default(),
    };
    let root = match source {
        Source::File(name) => {
            let position = Position::of(name);
            let mut children = Files::new(file, &mut reading).read(name, &position);
            legacy::rewrite(&mut children, &mut reading);
            Some(Directive {
                name: String::new(),
                args: Vec::new(),
                children: Some(children),
                position,
            })
        }
        Source::Environment | Source::ZeroConfig => None,
    };
    config.read(&mut reading, root.as_ref(), "");
    check::check(&mut config, root.as_ref(), &mut reading);
    let asked = reading.asked();
    let Reading { mut findings, mut problems, .. } = reading;
    findings.sort_by(|a, b| a.position.cmp(&b.position));
    problems.sort_by(|a, b| a.position.cmp(&b.position));
    Loaded { config, findings, problems, asked }
}

/// Every directive there is.
pub fn specs() -> Vec<Spec> {
    let mut specs = Vec::new();
    Config::describe("", &mut specs);
    specs
}

impl Config {
    /// SRS's defaults where there is no file.
    fn environment_only() -> Self {
        let vhosts = vec![Named::new(crate::DEFAULT_VHOST, crate::Vhost::default())];
        let srs_log_tank = "console".to_owned();
        Self { daemon: false, srs_log_tank, vhosts, ..Self::default() }
    }
}
