//! The words of an expression's text.

use super::Mistake;
use std::ops::Range;
use winnow::ascii::{digit0, digit1, till_line_ending};
use winnow::combinator::{alt, opt, repeat};
use winnow::error::EmptyError;
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{one_of, take_while};

/// A word and its place in the text, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind<'a>,
    pub span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Number(f64),
    Name(&'a str),
    /// An operator or a mark of punctuation.
    Sign(&'a str),
}

type Text<'a> = LocatingSlice<&'a str>;

/// Blanks and comments, which go from # to the end of the line.
fn blanks(text: &mut Text<'_>) -> Result<(), EmptyError> {
    let blank = take_while(1.., |c: char| c.is_whitespace()).void();
    repeat(0.., alt((blank, ('#', till_line_ending).void()))).parse_next(text)
}

fn number<'a>(text: &mut Text<'a>) -> Result<Kind<'a>, EmptyError> {
    let digits = alt(((digit1, opt(('.', digit0))).void(), ('.', digit1).void()));
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    (digits, opt(exponent)).take().verify_map(|digits: &str| digits.parse().ok().map(Kind::Number)).parse_next(text)
}

fn name<'a>(text: &mut Text<'a>) -> Result<Kind<'a>, EmptyError> {
    let first = one_of(|c: char| c.is_alphabetic() || c == '_');
    (first, take_while(0.., |c: char| c.is_alphabetic() || c.is_ascii_digit() || c == '_'))
        .take()
        .map(Kind::Name)
        .parse_next(text)
}

fn sign<'a>(text: &mut Text<'a>) -> Result<Kind<'a>, EmptyError> {
    const SINGLE: [char; 16] = ['+', '-', '*', '/', '^', '@', '<', '>', '=', '(', ')', '[', ']', ',', ';', ':'];
    let double = alt(("**", "<=", ">=", "==", "!="));
    alt((double, one_of(SINGLE).take(), ".")).map(Kind::Sign).parse_next(text)
}

/// The words of `text`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Mistake> {
    let mut input = Text::new(text);
    let mut tokens = Vec::new();
    loop {
        // Blanks are never an error.
        let _ = blanks(&mut input);
        if input.is_empty() {
            return Ok(tokens);
        }
        match alt((number, name, sign)).with_span().parse_next(&mut input) {
            Ok((kind, span)) => tokens.push(Token { kind, span }),
            Err(EmptyError) => return Err(unknown(&input, text)),
        }
    }
}

/// The mistake of a character that is no part of any word.
fn unknown(rest: &str, text: &str) -> Mistake {
    let at = text.len() - rest.len();
    let Some(c) = rest.chars().next() else { return Mistake::new(at..at, "expected an expression, found nothing") };
    let meant = match c {
        '−' | '–' | '—' => ": write -",
        '×' | '·' | '⋅' | '∗' => ": write *",
        '÷' => ": write /",
        '²' => ": write ^2",
        '³' => ": write ^3",
        '≤' => ": write <=",
        '≥' => ": write >=",
        '≠' => ": write !=",
        '{' | '}' => ": write ( or [",
        _ => "",
    };
    Mistake::new(
        at..at + c.len_utf8(),
        format!("expected a number, a name or an operator, found '{}'{meant}", c.escape_debug()),
    )
}
