//! From a file and the environment to a [`Config`].

use crate::{
    Config, Directive, Named, Position, Spec, Support,
    block::{
        Block,
        codec::{Codec, join},
    },
    grammar::parse,
    report::{Finding, Problem, Severity, State, nearest},
};

/// Files that include files.
const MAX_INCLUDES: usize = 64;

/// Where a configuration comes from; the environment lies over each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// Nowhere: the zero-config profile.
    ZeroConfig,
    /// The environment alone, over SRS's defaults.
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
}

impl Loaded {
    /// The errors, for which a server must not start.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }
}

/// Reads a configuration. `env` looks a variable of the environment up, and `file` reads the text
/// of a file, or says why it can't.
pub fn load(
    source: Source<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    file: &dyn Fn(&str) -> Result<String, String>,
) -> Loaded {
    let mut reading =
        Reading { env, findings: Vec::new(), problems: Vec::new(), includes: MAX_INCLUDES };
    let mut config = match source {
        Source::ZeroConfig => Config::zero_config(),
        Source::Environment | Source::File(_) => Config::default(),
    };
    let root = match source {
        Source::File(name) => {
            let position = Position { file: name.into(), line: 0, column: 0 };
            let children = reading.file(name, file, &position);
            Some(Directive {
                name: String::new(),
                args: Vec::new(),
                children: Some(children),
                position,
            })
        }
        Source::Environment => {
            config.vhosts.push(Named::new(crate::DEFAULT_VHOST, crate::Vhost::default()));
            None
        }
        Source::ZeroConfig => None,
    };
    config.read(&mut reading, root.as_ref(), "");
    let Reading { mut findings, problems, .. } = reading;
    findings.sort_by(|a, b| a.position.cmp(&b.position));
    Loaded { config, findings, problems }
}

/// A configuration that is being read.
pub(crate) struct Reading<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    findings: Vec<Finding>,
    problems: Vec<Problem>,
    includes: usize,
}

impl Reading<'_> {
    /// The directives of a file, and of those that it includes.
    fn file(
        &mut self,
        name: &str,
        file: &dyn Fn(&str) -> Result<String, String>,
        from: &Position,
    ) -> Vec<Directive> {
        let parsed = file(name)
            .map_err(|error| (from.clone(), format!("cannot read {name}: {error}")))
            .and_then(|text| {
                parse(name, &text).map_err(|error| (error.position, error.kind.to_string()))
            });
        match parsed {
            Ok(directives) => self.included(directives, file),
            Err((position, text)) => {
                self.problems.push(Problem { severity: Severity::Error, position, text });
                Vec::new()
            }
        }
    }

    /// Puts the files' directives where they are included.
    fn included(
        &mut self,
        directives: Vec<Directive>,
        file: &dyn Fn(&str) -> Result<String, String>,
    ) -> Vec<Directive> {
        let mut all = Vec::with_capacity(directives.len());
        for mut directive in directives {
            if directive.name == "include" && directive.children.is_none() {
                for name in &directive.args {
                    match self.includes.checked_sub(1) {
                        Some(left) => {
                            self.includes = left;
                            all.extend(self.file(name, file, &directive.position));
                        }
                        None => self.error(
                            &directive.position,
                            format!("more than {MAX_INCLUDES} files are included"),
                        ),
                    }
                }
            } else {
                directive.children =
                    directive.children.map(|children| self.included(children, file));
                all.push(directive);
            }
        }
        all
    }

    fn error(&mut self, position: &Position, text: String) {
        let position = position.clone();
        self.problems.push(Problem { severity: Severity::Error, position, text });
    }

    fn warning(&mut self, position: &Position, text: String) {
        let position = position.clone();
        self.problems.push(Problem { severity: Severity::Warning, position, text });
    }

    /// Tells the directives of a block that nobody knows.
    pub(crate) fn known(&mut self, node: Option<&Directive>, path: &str, names: &[&str]) {
        for child in node.map(Directive::children).unwrap_or_default() {
            if names.contains(&child.name.as_str()) {
                continue;
            }
            let mut text = match path {
                "" => format!("unknown directive `{}`", child.name),
                _ => format!("unknown directive `{}` in `{path}`", child.name),
            };
            if let Some(near) = nearest(&child.name, names) {
                text.push_str(&format!("; did you mean `{near}`?"));
            }
            self.error(&child.position, text);
        }
    }

    /// Reads a directive from the environment or else from the block.
    pub(crate) fn leaf<T, C: Codec<T>>(
        &mut self,
        value: &mut T,
        node: Option<&Directive>,
        path: &str,
        name: &str,
        codec: &C,
        support: &Support,
    ) {
        let path = join(path, name);
        let children = node.map(Directive::children).unwrap_or_default();
        let mut all: Vec<Directive> =
            children.iter().filter(|child| child.name == name).cloned().collect();
        if let Some(directive) = self.variable(&path, name) {
            all = vec![directive];
        }
        self.expand(&mut all);
        let Some(first) = all.first() else { return };
        if !codec.is_repeated() {
            for second in all.iter().skip(1) {
                let text = format!("`{path}` stands at {} already, which counts", first.position);
                self.warning(&second.position, text);
            }
            if first.children.is_some() {
                self.error(&first.position, format!("`{path}` has no block"));
                return;
            }
        }
        let state = match codec.read_all(&all.iter().collect::<Vec<_>>()) {
            Some(read) => {
                *value = read;
                State::from(*support)
            }
            None => {
                let written = first.args.join(" ");
                let text = format!("`{path} {written}`: expected {}", codec.expects());
                self.error(&first.position, text.clone());
                State::Error(text)
            }
        };
        self.findings.push(Finding {
            position: first.position.clone(),
            path,
            value: first.args.join(" "),
            state,
        });
    }

    /// The directive that the environment sets.
    fn variable(&self, path: &str, name: &str) -> Option<Directive> {
        let key = variable(path);
        let (key, value) =
            [Some(key.clone()), key.strip_prefix("SRS_SRS_").map(|k| format!("SRS_{k}"))]
                .into_iter()
                .flatten()
                .find_map(|key| (self.env)(&key).map(|value| (key, value)))?;
        Some(Directive {
            name: name.to_owned(),
            args: value.split_whitespace().map(str::to_owned).collect(),
            children: None,
            position: Position { file: key.into(), line: 0, column: 0 },
        })
    }

    /// Replaces arguments of the form `$NAME`; a directive whose variable isn't set isn't there.
    fn expand(&mut self, all: &mut Vec<Directive>) {
        let env = self.env;
        let mut unset = Vec::new();
        all.retain_mut(|directive| {
            for arg in &mut directive.args {
                let Some(key) = arg.strip_prefix('$').filter(|key| !key.is_empty()) else {
                    continue;
                };
                match env(key) {
                    Some(value) => *arg = value,
                    None => {
                        let text = format!("${key} is not set: the default stays");
                        unset.push((directive.position.clone(), text));
                        return false;
                    }
                }
            }
            true
        });
        for (position, text) in unset {
            self.warning(&position, text);
        }
    }

    /// Reads a block that is there once.
    pub(crate) fn block(
        &mut self,
        block: &mut impl Block,
        node: Option<&Directive>,
        path: &str,
        name: &str,
    ) {
        let mut found = node.map(Directive::children).unwrap_or_default().iter();
        let mut found = found.by_ref().filter(|child| child.name == name);
        let first = found.next();
        for second in found {
            let text = format!("a second `{name}` block, which doesn't count");
            self.warning(&second.position, text);
        }
        if let Some(first) = first
            && first.children.is_none()
        {
            self.error(&first.position, format!("`{name}` is a block: `{{ … }}` is due"));
        }
        block.read(self, first, &join(path, name));
    }

    /// Reads blocks with names.
    pub(crate) fn named<T: Block>(
        &mut self,
        list: &mut Vec<Named<T>>,
        node: Option<&Directive>,
        path: &str,
        name: &str,
    ) {
        let path = join(path, name);
        for child in node.map(Directive::children).unwrap_or_default() {
            if child.name == name {
                let mut block = T::default();
                block.read(self, Some(child), &path);
                list.push(Named::new(child.args.join(" "), block));
            }
        }
        if node.is_none() {
            for named in list {
                named.block.read(self, None, &path);
            }
        }
    }
}

/// The variable of the environment that sets the directive at `path`.
pub(crate) fn variable(path: &str) -> String {
    format!("SRS_{}", path.replace('.', "_").to_uppercase())
}

/// Every directive there is.
pub fn specs() -> Vec<Spec> {
    let mut specs = Vec::new();
    Config::describe("", &mut specs);
    specs
}
