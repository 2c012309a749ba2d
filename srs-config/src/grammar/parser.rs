//! From tokens to directives.

use super::{
    Directive, Position, SyntaxError, SyntaxErrorKind,
    lexer::{Lexer, Token},
};

/// Blocks in blocks.
const MAX_DEPTH: usize = 16;
/// Bytes of one file.
pub(crate) const MAX_LEN: usize = 1024 * 1024;

/// Reads `text`, which came from `file`.
///
/// # Errors
/// The first place where the text is no configuration.
pub fn parse(file: &str, text: &str) -> Result<Vec<Directive>, SyntaxError> {
    let mut lexer = Lexer::new(file, text);
    if text.len() > MAX_LEN {
        let kind = SyntaxErrorKind::TooLong { len: text.len(), limit: MAX_LEN };
        return Err(SyntaxError { position: lexer.position(), kind });
    }
    // The blocks that are open, each with what it holds so far.
    let mut open: Vec<Directive> = Vec::new();
    let mut top: Vec<Directive> = Vec::new();
    let mut current: Option<Directive> = None;
    // Where the word before ended.
    let mut line = 1;
    while let Some((position, token)) = lexer.token()? {
        let error = |kind| Err(SyntaxError { position: position.clone(), kind });
        match (token, current.take()) {
            (Token::Word(name), None) if name.is_empty() => {
                return error(SyntaxErrorKind::EmptyName);
            }
            (Token::Word(name), None) => current = Some(directive(name, position)),
            // What stands on another line is most likely the next directive.
            (Token::Word(next), Some(directive)) if position.line > line => {
                return Err(SyntaxError {
                    position: directive.position,
                    kind: SyntaxErrorKind::LineNotEnded { name: directive.name, next },
                });
            }
            (Token::Word(arg), Some(mut directive)) => {
                directive.args.push(arg);
                current = Some(directive);
            }
            (Token::Mark(';'), Some(directive)) => siblings(&mut open, &mut top).push(directive),
            (Token::Mark('{'), Some(mut directive)) => {
                if open.len() >= MAX_DEPTH {
                    return error(SyntaxErrorKind::TooDeep { limit: MAX_DEPTH });
                }
                directive.children = Some(Vec::new());
                open.push(directive);
            }
            (Token::Mark('}'), None) => match open.pop() {
                Some(closed) => siblings(&mut open, &mut top).push(closed),
                None => return error(SyntaxErrorKind::UnexpectedClose),
            },
            (Token::Mark(_), Some(Directive { name, position, .. })) => {
                return Err(SyntaxError { position, kind: SyntaxErrorKind::NoSemicolon(name) });
            }
            // A semicolon of its own, as after a block, harms nobody.
            (Token::Mark(';'), None) => {}
            (Token::Mark(mark), None) => return error(SyntaxErrorKind::NameExpected(mark)),
        }
        line = lexer.position().line;
    }
    if let Some(Directive { name, position, .. }) = current {
        return Err(SyntaxError { position, kind: SyntaxErrorKind::NotEnded(name) });
    }
    match open.pop() {
        Some(Directive { name, position, .. }) => {
            Err(SyntaxError { position, kind: SyntaxErrorKind::NotClosed(name) })
        }
        None => Ok(top),
    }
}

fn directive(name: String, position: Position) -> Directive {
    Directive { name, args: Vec::new(), children: None, position }
}

/// The directives of the innermost block.
fn siblings<'a>(open: &'a mut [Directive], top: &'a mut Vec<Directive>) -> &'a mut Vec<Directive> {
    match open.last_mut() {
        Some(block) => block.children.get_or_insert_default(),
        None => top,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The directives in short: `name(arg,arg){children}`.
    fn short(directives: &[Directive]) -> String {
        let one = |directive: &Directive| {
            let children = directive.children.as_ref().map(|all| format!("{{{}}}", short(all)));
            format!(
                "{}({}){}",
                directive.name,
                directive.args.join(","),
                children.unwrap_or_default()
            )
        };
        directives.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn read(text: &str) -> String {
        match parse("a.conf", text) {
            Ok(directives) => short(&directives),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn directives_have_arguments_and_blocks() {
        assert_eq!(
            read("listen 1935 1936;\nvhost a { hls { enabled on; } }"),
            "listen(1935,1936) vhost(a){hls(){enabled(on)}}"
        );
        assert_eq!(read(""), "");
        assert_eq!(read(" \n\t# only a comment"), "");
        assert_eq!(read("a{}b;"), "a(){} b()");
        assert_eq!(read("vhost a\n{\n};"), "vhost(a){}");
    }

    #[test]
    fn comments_end_with_their_line() {
        assert_eq!(read("a b; # c d;\n# e;\nf;#g\n"), "a(b) f()");
        assert_eq!(read("a b#c;"), "a(b#c)", "only where a word may begin");
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(read(r#"a "b c;" 'd "e"';"#), r#"a(b c;,d "e")"#);
        assert_eq!(read(r#"a "b\" ;"#), r"a(b\)", "a backslash is a character");
        assert_eq!(read(r#"a 'b'"'c'";"#), "a(b'c')", "quotations side by side are one word");
        assert_eq!(read(r#"a b'c d;"#), "a(b'c,d)", "a quote within a word is a character");
        assert_eq!(read(r#"a "";"#), "a()", "which is one empty argument");
        assert_eq!(parse("", r#"a "";"#).unwrap()[0].args, [""]);
    }

    #[test]
    fn windows_files_are_read() {
        let directives = parse("a", "\u{feff}a b;\r\nc d;\r\n").unwrap();
        assert_eq!(short(&directives), "a(b) c(d)");
        assert_eq!((directives[1].position.line, directives[1].position.column), (2, 1));
    }

    #[test]
    fn directives_know_where_they_stand() {
        let directives = parse("a", "x {\n  ü y; z;\n}").unwrap();
        let [ue, z] = directives[0].children() else { panic!("two children") };
        assert_eq!(ue.position.to_string(), "a:2:3");
        assert_eq!(z.position.to_string(), "a:2:8");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, error) in [
            ("a }", "a.conf:1:1: `a` is not ended: `;` is due before `}`"),
            ("a { b }", "a.conf:1:5: `b` is not ended: `;` is due before `}`"),
            ("}", "a.conf:1:1: `}` closes no block"),
            ("a; {", "a.conf:1:4: `{` where the name of a directive is due"),
            ("a b", "a.conf:1:1: `a` is not ended: `;` or `{ … }` is due"),
            (
                "\n listen 1935\nmax_connections 5;",
                "a.conf:2:2: `listen` is not ended: `;` is due before `max_connections` on the next line",
            ),
            ("a {\n b {\n }\n", "a.conf:1:1: the block of `a` is not closed: `}` is due"),
            ("a 'b;\n", "a.conf:1:3: the quote ' is not closed"),
            ("a \"b\"c;", "a.conf:1:6: `c` right behind a quote: white space, `;` or `{` is due"),
            ("'' b;", "a.conf:1:1: an empty name of a directive"),
        ] {
            assert_eq!(read(text), error, "{text}");
        }
    }

    #[test]
    fn depth_and_length_are_limited() {
        assert_eq!(read(&"a {".repeat(17)), "a.conf:1:51: blocks lie more than 16 deep");
        assert_eq!(short(&parse("", &("a {".repeat(16) + &"}".repeat(16))).unwrap()).len(), 16 * 5);
        let long = " ".repeat(MAX_LEN + 1);
        assert_eq!(read(&long), "a.conf:1:1: 1048577 bytes, the limit is 1048576");
        assert_eq!(read(&long[1..]), "");
    }
}
