//! A configuration that is being read: what the blocks ask for, and what is told of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Directive, Finding, Named, Position, Problem, State, Support,
    block::{
        Block,
        codec::{Codec, Form, join},
    },
    environment::{Reference, reference, variables},
    report::{nearest, shortened},
};

/// Problems that are told; more of them help nobody.
const MAX_PROBLEMS: usize = 100;

/// Blocks with names: vhosts, and those within them. A vhost takes some KiB.
const MAX_NAMED: usize = 10_000;

/// Blocks in which SRS looks at nothing but what it knows: what else is there is told, and harms
/// nobody.
const UNCHECKED: [&str; 12] = [
    "circuit_breaker",
    "http_api.https",
    "http_server.https",
    "rtc_server.black_hole",
    "rtc_server.tcp",
    "tencentcloud_apm",
    "tencentcloud_cls",
    "threads",
    "vhost.bandcheck",
    "vhost.hds",
    "vhost.ingest.engine",
    "vhost.ingest.input",
];

/// A configuration that is being read.
pub(crate) struct Reading<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    /// What the environment says of each path that was asked for.
    variables: BTreeMap<String, Option<(String, String)>>,
    named: usize,
    pub(crate) findings: Vec<Finding>,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            env,
            variables: BTreeMap::new(),
            named: 0,
            findings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The variables that would have been heeded.
    pub(crate) fn asked(&self) -> BTreeSet<String> {
        self.variables.keys().flat_map(|path| variables(path)).collect()
    }

    pub(crate) fn error(&mut self, position: &Position, text: String) {
        self.tell(Problem::error(position.clone(), text));
    }

    pub(crate) fn warning(&mut self, position: &Position, text: String) {
        self.tell(Problem::warning(position.clone(), text));
    }

    fn tell(&mut self, problem: Problem) {
        let is_last = self.problems.len().saturating_add(1) == MAX_PROBLEMS;
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            let position = problem.position.clone();
            self.problems.push(problem);
            if is_last {
                let text = format!("more than {MAX_PROBLEMS} problems: the rest is not told");
                self.problems.push(Problem::error(position, text));
            }
        }
    }

    /// Tells the directives of a block that nobody knows.
    pub(crate) fn known(&mut self, node: Option<&Directive>, path: &str, names: &[&str]) {
        for child in node.map(Directive::children).unwrap_or_default() {
            if names.contains(&child.name.as_str()) {
                continue;
            }
            if self.problems.len() >= MAX_PROBLEMS {
                return;
            }
            let name = shortened(&child.name);
            let mut text = match path {
                "" => format!("unknown directive `{name}`"),
                _ => format!("unknown directive `{name}` in `{path}`"),
            };
            if let Some(near) = nearest(&child.name, names) {
                text.push_str(&format!("; did you mean `{near}`?"));
            }
            if UNCHECKED.contains(&path) {
                self.warning(&child.position, text);
            } else {
                self.error(&child.position, text);
            }
        }
    }

    /// Reads a directive from the environment or else from the block.
    pub(crate) fn leaf<T: PartialEq, C: Codec<T>>(
        &mut self,
        value: &mut T,
        node: Option<&Directive>,
        path: &str,
        name: &str,
        codec: &C,
        support: &Support,
    ) {
        let (path, form) = (join(path, name), codec.form());
        let children = node.map(Directive::children).unwrap_or_default();
        let mut all: Vec<Directive> =
            children.iter().filter(|child| child.name == name).cloned().collect();
        if let Some(directive) = self.variable(&path, name, form) {
            all = vec![directive];
        }
        if form != Form::Options {
            self.expand(&mut all, &path, form);
        }
        self.first_only(&mut all, form, &path);
        if !self.is_laid_out(&all, form, &path) || all.is_empty() {
            return;
        }
        let read = self.value(&all, &path, codec);
        let is_default = read.as_ref().is_ok_and(|read| read == value);
        let state = match read {
            Ok(read) => {
                *value = read;
                State::from(*support)
            }
            Err(wrong) => {
                let text = wrong_value(&path, all.get(wrong), codec);
                if let Some(wrong) = all.get(wrong) {
                    self.error(&wrong.position, text.clone());
                }
                State::Error(text)
            }
        };
        for directive in all {
            let value = match codec.is_secret() {
                true => "***".to_owned(),
                false => directive.args.join(" "),
            };
            let (position, path, state) = (directive.position, path.clone(), state.clone());
            self.find(Finding { position, path, value, state, is_default });
        }
    }

    /// What the directives that count say; else says which of them cannot be read.
    fn value<T, C: Codec<T>>(
        &mut self,
        all: &[Directive],
        path: &str,
        codec: &C,
    ) -> Result<T, usize> {
        let wrong = match codec.read_all(all) {
            Ok(read) => return Ok(read),
            Err(wrong) => wrong,
        };
        let directive = all.get(wrong).ok_or(wrong)?;
        let instead = codec.instead(&directive.args).ok_or(wrong)?;
        let text = wrong_value(path, Some(directive), codec);
        let taken = codec.write(&instead).join(" ");
        self.warning(&directive.position, format!("{text}; taken as {taken}, as SRS does"));
        Ok(instead)
    }

    fn find(&mut self, finding: Finding) {
        // What the environment says of all vhosts is told once.
        if finding.position.line > 0 || !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Leaves the directives that count.
    fn first_only(&mut self, all: &mut Vec<Directive>, form: Form, path: &str) {
        if form == Form::Repeated {
            return;
        }
        if let [first, others @ ..] = all.as_slice() {
            for second in others {
                let text = format!("`{path}` stands at {} already, which counts", first.position);
                self.warning(&second.position, text);
            }
        }
        all.truncate(1);
    }

    /// Whether each directive has a block where one is due, and else none.
    fn is_laid_out(&mut self, all: &[Directive], form: Form, path: &str) -> bool {
        let wrong = |it: &&Directive| it.children.is_some() != (form == Form::Options);
        let Some(wrong) = all.iter().find(wrong) else { return true };
        let text = match form {
            Form::Options => format!("`{path}` is a block: `{{ … }}` is due"),
            _ => format!("`{path}` is no block: a value and `;` are due"),
        };
        self.error(&wrong.position, text);
        false
    }

    /// The directive that the environment sets. A variable that is empty sets nothing.
    fn variable(&mut self, path: &str, name: &str, form: Form) -> Option<Directive> {
        let env = self.env;
        let found = self.variables.entry(path.to_owned()).or_insert_with(|| {
            let value = |key: String| Some((env(&key)?, key));
            let mut values = variables(path).into_iter().filter_map(value);
            values.find(|(value, _)| !value.trim().is_empty()).map(|(value, key)| (key, value))
        });
        let (key, value) = found.clone()?;
        let position = Position::of(&key);
        let args = match form {
            Form::Word => vec![value.trim().to_owned()],
            Form::Words | Form::Repeated => value.split_whitespace().map(str::to_owned).collect(),
            Form::Options => {
                let text = format!("`{path}` is a block, which no variable can set");
                self.warning(&position, text);
                return None;
            }
        };
        Some(Directive { name: name.to_owned(), args, children: None, position })
    }

    /// Replaces arguments of the form `$NAME`; a directive whose variable isn't set isn't there.
    fn expand(&mut self, all: &mut Vec<Directive>, path: &str, form: Form) {
        let env = self.env;
        let mut unset = Vec::new();
        all.retain_mut(|directive| {
            let mut args = Vec::with_capacity(directive.args.len());
            for arg in &directive.args {
                match reference(arg) {
                    None => args.push(arg.clone()),
                    Some(Reference::Text(text)) => args.push(text.to_owned()),
                    Some(Reference::Variable(key)) => match env(key) {
                        Some(value) if form == Form::Word => args.push(value),
                        Some(value) => args.extend(value.split_whitespace().map(str::to_owned)),
                        None => {
                            let key = shortened(key);
                            let text = format!(
                                "`{path}`: the variable {key} is not set, so that the default \
                                 stays; the text itself is written `$${key}`"
                            );
                            unset.push((directive.position.clone(), text));
                            return false;
                        }
                    },
                }
            }
            directive.args = args;
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
        let path = join(path, name);
        let mut found = node.map(Directive::children).unwrap_or_default().iter();
        let mut found = found.by_ref().filter(|child| child.name == name);
        let first = found.next();
        if let Some(first) = first {
            for second in found {
                let text = format!(
                    "the block `{path}` stands at {} already, which counts",
                    first.position
                );
                self.warning(&second.position, text);
            }
            self.is_block(first, &path);
            if first.children.is_some() && !first.args.is_empty() {
                let args = shortened(&first.args.join(" "));
                let text = format!("`{path}` has no name: `{args}` means nothing");
                self.warning(&first.position, text);
            }
        }
        block.read(self, first, &path);
    }

    fn is_block(&mut self, directive: &Directive, path: &str) {
        if directive.children.is_none() {
            let text = format!("`{path}` is a block: `{{ … }}` is due");
            self.error(&directive.position, text);
        }
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
                if self.named >= MAX_NAMED {
                    let text = format!("more than {MAX_NAMED} blocks with names");
                    self.error(&child.position, text);
                    return;
                }
                self.named = self.named.saturating_add(1);
                self.is_block(child, &path);
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

/// Says what is wrong with a value, and what would not be.
fn wrong_value<T, C: Codec<T>>(path: &str, directive: Option<&Directive>, codec: &C) -> String {
    let args = directive.map(Directive::args).unwrap_or_default();
    let expects = codec.expects();
    let written = shortened(&args.join(" "));
    match args {
        [] => format!("`{path}` has no value: expected {expects}"),
        [_, _, ..] if codec.form() == Form::Word => {
            format!("`{path} {written}` has {} values: expected {expects}", args.len())
        }
        _ if codec.is_secret() => format!("`{path}`: expected {expects}"),
        _ => {
            let mut text = format!("`{path} {written}`: expected {expects}");
            if let Some(near) = nearest(&written, codec.choices()) {
                text.push_str(&format!("; did you mean `{near}`?"));
            }
            text
        }
    }
}
