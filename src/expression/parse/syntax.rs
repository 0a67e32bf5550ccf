//! The grammar: from words to a [`Program`].

use super::function::{FUNCTIONS, find};
use super::program::{GIVEN, Node, Operation, Operator, Piece, Program, Subscript};
use super::token::{Kind, Token, tokens};
use super::{Mistake, spell};
use std::collections::HashMap;
use std::ops::Range;
use winnow::Parser;
use winnow::combinator::{Infix, Prefix, expression};
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{Stateful, Stream, TokenSlice};

/// The longest text, in bytes.
const LONGEST: usize = 1 << 20;

/// The deepest nesting.
const DEEPEST: usize = 200;

/// The state of reading a text.
#[derive(Debug)]
struct State<'a> {
    text: &'a str,
    tokens: &'a [Token<'a>],
    /// The names of the data.
    data: &'a [&'a str],
    nodes: Vec<Node>,
    /// The nodes of names that have been met.
    names: HashMap<&'a str, usize>,
    /// The number of open parentheses, signs and powers.
    depth: usize,
}

type Input<'a> = Stateful<TokenSlice<'a, Token<'a>>, State<'a>>;

/// A failure: at the first word, or, where another reading is impossible, a mistake.
type Failure = ErrMode<Failed>;
type Parsed<T> = Result<T, Failure>;

#[derive(Debug)]
struct Failed(Option<Mistake>);

impl<I: Stream> ParserError<I> for Failed {
    type Inner = Self;

    fn from_input(_: &I) -> Self {
        Self(None)
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// No mistake yet: something else may stand here.
const OTHER: Failure = ErrMode::Backtrack(Failed(None));

fn mistake<T>(span: Range<usize>, text: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(Failed(Some(Mistake::new(span, text)))))
}

/// Refuses the next word.
fn refuse<T>(input: &Input<'_>, expected: &str) -> Parsed<T> {
    Err(ErrMode::Cut(Failed(Some(unexpected(input, expected)))))
}

/// The program that `text` is, with data of these names.
pub(super) fn program(text: &str, data: &[&str]) -> Result<Program, Mistake> {
    if text.len() > LONGEST {
        let length = text.len();
        return Err(Mistake::new(0..0, format!("expected a text of at most {LONGEST} bytes, found one of {length}")));
    }
    let tokens = tokens(text)?;
    let state = State { text, tokens: &tokens, data, nodes: Vec::new(), names: HashMap::new(), depth: 0 };
    let mut input = Input { input: TokenSlice::new(&tokens), state };
    match parts(&mut input) {
        Ok(result) => Ok(Program { nodes: input.state.nodes, result }),
        Err(failure) => Err(match failure.into_inner() {
            Ok(Failed(Some(mistake))) => mistake,
            _ => unexpected(&input, "an expression"),
        }),
    }
}

/// The words that are left.
fn rest<'a>(input: &Input<'a>) -> &'a [Token<'a>] {
    let tokens = input.state.tokens;
    &tokens[tokens.len() - input.input.eof_offset()..]
}

fn peek<'a>(input: &Input<'a>) -> Option<&'a Token<'a>> {
    rest(input).first()
}

/// The name that is given a meaning here, `name =`.
fn named<'a>(input: &Input<'a>) -> Option<(&'a str, &'a Range<usize>)> {
    match rest(input) {
        [Token { kind: Kind::Name(name), span }, equals, ..] if is_sign(Some(equals), "=") => Some((name, span)),
        _ => None,
    }
}

fn is_sign(token: Option<&Token<'_>>, sign: &str) -> bool {
    matches!(token, Some(Token { kind: Kind::Sign(found), .. }) if *found == sign)
}

/// Takes the sign, if it is the next word.
fn take<'a>(input: &mut Input<'a>, sign: &str) -> Option<Range<usize>> {
    let token = peek(input).filter(|token| is_sign(Some(token), sign))?;
    input.next_token();
    Some(token.span.clone())
}

/// The mistake that the next word is.
fn unexpected(input: &Input<'_>, expected: &str) -> Mistake {
    let Some(token) = peek(input) else {
        let (end, found) = input.state.tokens.last().map_or((0, "nothing"), |last| (last.span.end, "the end"));
        return Mistake::new(end..end, format!("expected {expected}, found {found}"));
    };
    let word = super::shortened(&input.state.text[token.span.clone()]);
    if let (Kind::Sign("<" | "<=" | ">" | ">=" | "==" | "!="), true) = (token.kind, expected.contains("operator")) {
        return Mistake::new(token.span.clone(), "comparisons do not chain: write where(a < b, where(b < c, …, …), …)");
    }
    Mistake::new(token.span.clone(), format!("expected {expected}, found '{word}'"))
}

fn expect(input: &mut Input<'_>, sign: &str, expected: &str) -> Parsed<Range<usize>> {
    match take(input, sign) {
        Some(span) => Ok(span),
        None => refuse(input, expected),
    }
}

fn push(input: &mut Input<'_>, operation: Operation, place: Range<usize>, span: Range<usize>) -> Piece {
    input.state.nodes.push(Node { operation, place });
    Piece { node: input.state.nodes.len() - 1, span }
}

fn deeper(input: &mut Input<'_>, at: &Range<usize>) -> Parsed<()> {
    input.state.depth += 1;
    if input.state.depth > DEEPEST {
        return mistake(at.clone(), format!("the expression is nested more than {DEEPEST} deep: name parts of it"));
    }
    Ok(())
}

/// Parts `name = …;`, then the result.
fn parts(input: &mut Input<'_>) -> Parsed<Piece> {
    while let Some((name, span)) = named(input) {
        let state = &input.state;
        if GIVEN.contains(&name) || state.data.contains(&name) || find(name).is_some() {
            return mistake(span.clone(), format!("'{name}' has a meaning already: choose another name for this part"));
        }
        input.next_token();
        input.next_token();
        let piece = whole(input)?;
        expect(input, ";", "an operator, or ';' after a named part")?;
        input.state.names.insert(name, piece.node);
    }
    let result = whole(input)?;
    if let Some(end) = take(input, ";")
        && peek(input).is_some()
    {
        return mistake(result.span.start..end.end, "expected a name for each part before the last: name = …;");
    }
    if peek(input).is_some() {
        return refuse(input, "an operator or the end");
    }
    Ok(result)
}

/// An expression, which has to be here.
fn whole(input: &mut Input<'_>) -> Parsed<Piece> {
    let parsed = expression(operand).prefix(prefix).infix(infix).parse_next(input);
    parsed.map_err(|failure| match failure {
        ErrMode::Cut(failed) => ErrMode::Cut(failed),
        _ => ErrMode::Cut(Failed(Some(unexpected(input, "a number, a name, a function or '('")))),
    })
}

fn prefix<'a>(input: &mut Input<'a>) -> Parsed<Prefix<Input<'a>, Piece, Failure>> {
    for (sign, fold) in [("-", negated as fn(&mut Input<'a>, Piece) -> Parsed<Piece>), ("+", unchanged)] {
        if let Some(span) = take(input, sign) {
            deeper(input, &span)?;
            return Ok(Prefix(40, fold));
        }
    }
    Err(OTHER)
}

/// The word before a piece.
fn before<'a>(input: &Input<'a>, piece: &Piece) -> Range<usize> {
    let tokens = input.state.tokens;
    let next = tokens.partition_point(|token| token.span.start < piece.span.start);
    next.checked_sub(1).map_or(piece.span.clone(), |place| tokens[place].span.clone())
}

fn negated(input: &mut Input<'_>, piece: Piece) -> Parsed<Piece> {
    input.state.depth -= 1;
    let place = before(input, &piece);
    let span = place.start..piece.span.end;
    Ok(push(input, Operation::Negate(piece), place, span))
}

fn unchanged(input: &mut Input<'_>, piece: Piece) -> Parsed<Piece> {
    input.state.depth -= 1;
    Ok(Piece { span: before(input, &piece).start..piece.span.end, ..piece })
}

fn binary(input: &mut Input<'_>, operator: Operator, a: Piece, b: Piece) -> Parsed<Piece> {
    let (place, span) = (before(input, &b), a.span.start..b.span.end);
    Ok(push(input, Operation::Binary(operator, [a, b]), place, span))
}

fn infix<'a>(input: &mut Input<'a>) -> Parsed<Infix<Input<'a>, Piece, Failure>> {
    let Some(Token { kind: Kind::Sign(sign), span }) = peek(input) else { return Err(OTHER) };
    macro_rules! operator {
        ($associates:ident $power:literal $operator:ident) => {
            Infix::$associates($power, |input, a, b| binary(input, Operator::$operator, a, b))
        };
    }
    let operator = match *sign {
        "<" => operator!(Neither 10 Less),
        "<=" => operator!(Neither 10 LessEqual),
        ">" => operator!(Neither 10 Greater),
        ">=" => operator!(Neither 10 GreaterEqual),
        "==" => operator!(Neither 10 Equal),
        "!=" => operator!(Neither 10 NotEqual),
        "+" => operator!(Left 20 Add),
        "-" => operator!(Left 20 Subtract),
        "*" => operator!(Left 30 Multiply),
        "/" => operator!(Left 30 Divide),
        "@" => operator!(Left 30 MatrixMultiply),
        "^" | "**" => {
            deeper(input, span)?;
            Infix::Right(60, |input: &mut Input<'a>, a, b| {
                input.state.depth -= 1;
                binary(input, Operator::Power, a, b)
            })
        }
        _ => return Err(OTHER),
    };
    input.next_token();
    Ok(operator)
}

/// A number, a name, a call, a parenthesis or a list, with what is taken of it.
fn operand(input: &mut Input<'_>) -> Parsed<Piece> {
    let Some(token) = peek(input) else { return Err(OTHER) };
    let span = token.span.clone();
    let mut piece = match token.kind {
        Kind::Number(value) if value.is_finite() => {
            input.next_token();
            push(input, Operation::Number(value), span.clone(), span)
        }
        Kind::Number(_) => return mistake(span, "expected a number of double precision, at most 1.8e308"),
        Kind::Name(name) => {
            input.next_token();
            if is_sign(peek(input), "(") { call(input, name, span)? } else { value(input, name, span)? }
        }
        Kind::Sign("(") => {
            let (mut items, span) = list(input, ")")?;
            match items.len() {
                1 => Piece { span, ..items.remove(0) },
                _ => push(input, Operation::List(items), span.clone(), span),
            }
        }
        Kind::Sign("[") => {
            let (items, span) = list(input, "]")?;
            push(input, Operation::List(items), span.clone(), span)
        }
        Kind::Sign(_) => return Err(OTHER),
    };
    loop {
        if is_sign(peek(input), "[") {
            piece = part(input, piece)?;
        } else if take(input, ".").is_some() {
            let Some(Token { kind: Kind::Name("T"), span }) = peek(input) else {
                let expected =
                    "T for the transposed matrix after '.' (a function is written before its argument, sum(u))";
                return refuse(input, expected);
            };
            input.next_token();
            let whole = piece.span.start..span.end;
            piece = push(input, Operation::Transpose(piece), span.clone(), whole);
        } else {
            return Ok(piece);
        }
    }
}

/// Expressions between commas, up to the closing sign.
fn list(input: &mut Input<'_>, close: &str) -> Parsed<(Vec<Piece>, Range<usize>)> {
    let open = peek(input).map_or(0..0, |token| token.span.clone());
    input.next_token();
    deeper(input, &open)?;
    let mut items = vec![whole(input)?];
    while take(input, ",").is_some() {
        if is_sign(peek(input), close) {
            break;
        }
        items.push(whole(input)?);
    }
    let end = expect(input, close, &format!("an operator, ',' or '{close}'"))?.end;
    input.state.depth -= 1;
    Ok((items, open.start..end))
}

/// The value of a name.
fn value<'a>(input: &mut Input<'a>, name: &'a str, span: Range<usize>) -> Parsed<Piece> {
    if let Some(&node) = input.state.names.get(name) {
        return Ok(Piece { node, span });
    }
    let operation = match name {
        "u" => Operation::U,
        "x" => Operation::X,
        "d" => Operation::D,
        "i" => Operation::I,
        "pi" => Operation::Number(std::f64::consts::PI),
        "e" => Operation::Number(std::f64::consts::E),
        _ => match input.state.data.iter().position(|data| *data == name) {
            Some(number) => Operation::Data(number),
            None => return unknown_name(input, name, span),
        },
    };
    let piece = push(input, operation, span.clone(), span);
    input.state.names.insert(name, piece.node);
    Ok(piece)
}

fn unknown_name<T>(input: &Input<'_>, name: &str, span: Range<usize>) -> Parsed<T> {
    if let Some(function) = find(name) {
        return mistake(span, format!("expected the arguments of a function, {}", function.form));
    }
    if is_sign(peek(input), ".") {
        return mistake(
            span,
            format!("expected a name, found '{name}.': functions are written without a prefix, sum(u)"),
        );
    }
    let defined = input.state.names.keys().chain(input.state.data).copied();
    let names: Vec<_> = GIVEN.into_iter().chain(defined).chain(FUNCTIONS.iter().map(|known| known.name)).collect();
    let text = match spell(name, &names) {
        Some(meant) => format!("unknown name '{}': did you mean '{meant}'?", super::shortened(name)),
        None => {
            let mut own: Vec<_> = names.iter().filter(|name| find(name).is_none()).collect();
            own.sort_unstable();
            own.dedup();
            const SHOWN: usize = 20;
            let more = if own.len() > SHOWN { ", …" } else { "" };
            let own = own.into_iter().copied().take(SHOWN).collect::<Vec<_>>().join(", ") + more;
            format!("unknown name '{}': there are {own} and functions", super::shortened(name))
        }
    };
    mistake(span, text)
}

/// The call of a function, from its parenthesis on.
fn call<'a>(input: &mut Input<'a>, name: &'a str, span: Range<usize>) -> Parsed<Piece> {
    let Some(function) = find(name) else {
        let state = &input.state;
        if GIVEN.contains(&name) || state.names.contains_key(name) || state.data.contains(&name) {
            let problem = format!("'{name}' is not a function: {name}[0] takes a part, {name} * (…) multiplies");
            return mistake(span, problem);
        }
        let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
        return mistake(
            span,
            match spell(name, &names) {
                Some(meant) => format!("unknown function '{}': did you mean '{meant}'?", super::shortened(name)),
                None => format!("unknown function '{}': there are {}", super::shortened(name), names.join(", ")),
            },
        );
    };
    let open = expect(input, "(", "'('")?;
    deeper(input, &open)?;
    let (mut arguments, mut axis) = (Vec::new(), None);
    while !is_sign(peek(input), ")") {
        match named(input) {
            Some((keyword, span)) => {
                if keyword != "axis" || !function.has_axis() || axis.is_some() {
                    return mistake(span.clone(), format!("expected {}, found '{keyword}='", function.form));
                }
                input.next_token();
                input.next_token();
                axis = Some(whole(input)?);
            }
            None => arguments.push(whole(input)?),
        }
        if take(input, ",").is_none() {
            break;
        }
    }
    let end = expect(input, ")", "an operator, ',' or ')'")?.end;
    input.state.depth -= 1;
    // numpy's second argument, which of a norm is not the axis.
    if function.has_axis() && function.name != "norm" && arguments.len() == 2 && axis.is_none() {
        axis = arguments.pop();
    }
    if !function.arguments.contains(&arguments.len()) {
        let found = match arguments.len() {
            0 => "no argument".to_owned(),
            1 => "one argument".to_owned(),
            count => format!("{count} arguments"),
        };
        return mistake(span.start..end, format!("expected {}, found {found}", function.form));
    }
    let operation = Operation::Call { function, arguments, axis };
    Ok(push(input, operation, span.clone(), span.start..end))
}

/// A part `[…]` of a piece, from its bracket on.
fn part(input: &mut Input<'_>, of: Piece) -> Parsed<Piece> {
    let open = expect(input, "[", "'['")?;
    deeper(input, &open)?;
    let mut subscripts = vec![subscript(input)?];
    while take(input, ",").is_some() {
        subscripts.push(subscript(input)?);
    }
    let end = expect(input, "]", "an operator, ':', ',' or ']'")?.end;
    input.state.depth -= 1;
    if subscripts.len() > 2 {
        return mistake(open.start..end, "expected at most two subscripts, of a row and a column");
    }
    let span = of.span.start..end;
    Ok(push(input, Operation::Part(of, subscripts), open.start..end, span))
}

fn subscript(input: &mut Input<'_>) -> Parsed<Subscript> {
    let mut ends = [None, None, None];
    let mut colons = 0;
    loop {
        if colons == 2 && is_sign(peek(input), ":") {
            return refuse(input, "at most first:end:step");
        } else if take(input, ":").is_some() {
            colons += 1;
        } else if ends[colons].is_some() || is_sign(peek(input), ",") || is_sign(peek(input), "]") {
            break;
        } else {
            ends[colons] = Some(whole(input)?);
        }
    }
    match (colons, ends) {
        (0, [Some(at), ..]) => Ok(Subscript::At(at)),
        (0, _) => refuse(input, "a place or a slice such as 1:"),
        (_, ends) => Ok(Subscript::Slice(ends)),
    }
}
