//! From tokens to directives.

use super::{
    Directive, Position, SyntaxError, SyntaxErrorKind,
    lexer::{Lexer, Token},
};

/// Blocks in blocks.
const MAX_DEPTH: usize = 16;
/// Bytes of one file.
const MAX_LEN: usize = 1024 * 1024;

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
    while let Some((position, token)) = lexer.token()? {
        let error = |kind| Err(SyntaxError { position: position.clone(), kind });
        match (token, current.take()) {
            (Token::Word(name), None) => current = Some(directive(name, position)),
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
