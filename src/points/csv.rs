//! Points in CSV, as spreadsheets and programs write it.

use super::{LABELS, Role, Table, Values, role};
use crate::error::excerpt;
use polars::prelude::Column;
use std::borrow::Cow;

/// The separator of the values of a line.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    Comma,
    Semicolon,
    Tab,
    /// Any number of them.
    Blanks,
}

impl Separator {
    fn name(self) -> &'static str {
        match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
            Self::Blanks => "blanks",
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Tab => '\t',
            Self::Blanks => ' ',
        }
    }

    /// The one of a line of names.
    fn of(names: &str) -> Self {
        match names.trim() {
            _ if names.contains(';') => Self::Semicolon,
            _ if names.contains(',') => Self::Comma,
            _ if names.contains('\t') => Self::Tab,
            trimmed if trimmed.contains(char::is_whitespace) => Self::Blanks,
            _ => Self::Comma,
        }
    }

    /// The values of a line.
    fn split(self, line: &str) -> Result<Vec<&str>, &'static str> {
        let unquoted = |value: &str| !value.contains('"');
        if self == Self::Blanks {
            let values: Vec<&str> = line.split_whitespace().map(|value| value.trim_matches('"')).collect();
            return values.iter().all(|value| unquoted(value)).then_some(values).ok_or(QUOTATION);
        }
        let blank = |c: char| c.is_whitespace() && c != self.sign();
        let mut values = Vec::new();
        let mut rest = Some(line);
        while let Some(line) = rest {
            let line = line.trim_start_matches(blank);
            let (value, after) = match line.strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"').ok_or(QUOTATION)?;
                    let after = after.trim_start_matches(blank);
                    let next = after.strip_prefix(self.sign());
                    if next.is_none() && !after.is_empty() {
                        return Err(QUOTATION);
                    }
                    (value, next)
                }
                None => match line.split_once(self.sign()) {
                    Some((value, after)) => (value, Some(after)),
                    None => (line, None),
                },
            };
            values.push(value.trim());
            rest = after;
        }
        Ok(values)
    }
}

const QUOTATION: &str = "expected quotation marks around whole values only";

/// The start of the table.
struct Header<'a> {
    names: Vec<&'a str>,
    separator: Separator,
    /// The number of the first line after it, counted from 1.
    next: usize,
}

/// The table in `bytes`.
///
/// # Errors
/// A sentence for the user.
pub(super) fn table(bytes: &[u8]) -> Result<Table, String> {
    let text = decode(bytes)?;
    let Some(Header { mut names, separator, next }) = header(&text)? else {
        return Ok(Table { columns: Vec::new(), rows: 0 });
    };
    // Those of separators at the end of the line.
    names.truncate(names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    if names.is_empty() {
        return Ok(Table { columns: Vec::new(), rows: 0 });
    }
    if let Some(second) = names.iter().skip(1).position(|name| name.is_empty()) {
        let expected = "expected a name for every column, such as x0";
        return Err(format!("column {} (counted from 1) has no name: {expected}", second + 2));
    }
    let data = || lines_of(&text).skip_while(|&(number, _)| number < next).filter(|&(_, line)| is_data(line));
    // R's tables of blanks and tabs have no name for their index. With commas, two values of one name are a number with a decimal comma.
    let first = data().next().and_then(|(_, line)| separator.split(line).ok()).unwrap_or_default();
    let indexed = matches!(first[..], ["0" | "1", .., last] if first.len() == names.len() + 1 && !last.is_empty())
        && matches!(separator, Separator::Blanks | Separator::Tab);
    if indexed && !names[0].is_empty() {
        names.insert(0, "");
    }
    let mut texts = vec![Vec::new(); names.len()];
    let mut lines = Vec::new();
    for (number, line) in data() {
        let values = separator.split(line).map_err(|problem| format!("line {number}: {problem}"))?;
        check_width(number, line, &values, names.len(), separator)?;
        for (column, value) in texts.iter_mut().zip(values) {
            column.push(value);
        }
        lines.push(number);
    }
    let mut columns = Vec::with_capacity(names.len());
    for (place, (name, texts)) in names.iter().zip(&texts).enumerate() {
        // pandas names a column without a name so when it reads one.
        if place == 0 && (name.is_empty() || *name == "Unnamed: 0") {
            check_index(texts)?;
        } else {
            columns.push(((*name).to_owned(), column(name, texts, &lines, separator)?));
        }
    }
    Ok(Table { columns, rows: lines.len() })
}

/// The columns of a table of finite numbers, with or without a line of names.
///
/// # Errors
/// A sentence for the user.
pub(super) fn numbers(bytes: &[u8]) -> Result<Vec<Vec<f64>>, String> {
    let text = decode(bytes)?;
    let mut lines = lines_of(&text).filter(|&(_, line)| is_data(line)).peekable();
    let declared = lines.next_if(|(_, line)| declaration(line).is_some()).and_then(|(_, line)| declaration(line));
    let Some(&(first, line)) = lines.peek() else { return Ok(Vec::new()) };
    let separator = declared.unwrap_or_else(|| Separator::of(line));
    let mut names = separator.split(line).map_err(|problem| format!("line {first}: {problem}"))?;
    names.truncate(names.iter().rposition(|name| !name.is_empty()).map_or(1, |last| last + 1));
    let named = !names.iter().any(|name| is_number(name));
    if named {
        lines.next();
    }
    let counted: Vec<String> = (1..=names.len()).map(|number| number.to_string()).collect();
    let names: Vec<&str> = if named { names } else { counted.iter().map(String::as_str).collect() };
    let name = |place: usize| if names[place].is_empty() { counted[place].clone() } else { excerpt(names[place]) };
    let mut columns = vec![Vec::new(); names.len()];
    for (row, (number, line)) in (1..).zip(lines) {
        let values = separator.split(line).map_err(|problem| format!("line {number}: {problem}"))?;
        check_width(number, line, &values, names.len(), separator)?;
        for (place, (column, text)) in columns.iter_mut().zip(values).enumerate() {
            let fail = |problem| format!("column {}, row {row} (line {number}): {problem}", name(place));
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() => column.push(value),
                Ok(_) => return Err(fail(format!("expected a finite number, not {}", excerpt(text)))),
                Err(_) => return Err(fail(no_number(text, separator))),
            }
        }
    }
    // The index that pandas writes in front.
    let index = named && names[0].is_empty() && columns.len() > 1;
    if index && !(0..).zip(&columns[0]).all(|(count, value)| *value == f64::from(count)) {
        return Err("the first column has no name: expected one, or an index that counts 0, 1, 2, …".to_owned());
    }
    Ok(columns.split_off(usize::from(index)))
}

/// The text of a file, without a byte order mark, with line feeds alone.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let text = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).collect::<Result<String, _>>();
        text.ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => {
            return Err(
                "expected a CSV file, and this one is compressed or of a spreadsheet: unpack or export it".into()
            );
        }
        [b'P', b'A', b'R', b'1', ..] => {
            return Err("expected a CSV file, and this is a Parquet file: name it .parquet".to_owned());
        }
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).ok().map(Cow::Borrowed),
        bytes => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    let text = text.filter(|text| !text.contains('\0'));
    let text = text.ok_or("expected text in UTF-8, or in UTF-16 with a byte order mark")?;
    Ok(if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text })
}

/// The lines of a text with their numbers, counted from 1.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.split('\n'))
}

/// The separator that a line declares, by which a spreadsheet learns it.
fn declaration(line: &str) -> Option<Separator> {
    line.trim_matches([' ', '"']).strip_prefix("sep=").map(Separator::of)
}

/// True if a line is neither blank nor a comment.
fn is_data(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

/// Finds the line of names: the first that is neither blank nor a comment; or, where that one is of numbers, the last comment
/// before it that is a line of names.
fn header(text: &str) -> Result<Option<Header<'_>>, String> {
    let mut declared = None;
    let mut commented = None;
    for (number, line) in lines_of(text) {
        if let Some(comment) = line.trim_start().strip_prefix('#') {
            let names = comment.trim_start_matches('#').trim();
            let separator = Separator::of(names);
            if let Ok(names) = separator.split(names)
                && names.iter().all(|name| name.is_empty() || role(name) != Role::Other)
                && names.iter().any(|name| !name.is_empty())
            {
                commented = Some(Header { names, separator, next: number + 1 });
            }
            continue;
        }
        if !is_data(line) {
            continue;
        }
        if let Some(separator) = declaration(line) {
            declared = Some(separator);
            continue;
        }
        let separator = declared.unwrap_or_else(|| Separator::of(line));
        let names = separator.split(line).map_err(|problem| format!("line {number}: {problem}"))?;
        let numbers = names.iter().any(|name| is_number(name));
        if !numbers || !names.iter().all(|name| name.is_empty() || is_number(name)) {
            return Ok(Some(Header { names, separator, next: number + 1 }));
        }
        if commented.is_none() {
            let expected = "expected a line of names before it: x0, x1, … for points of the unit cube, or u0, u1, … for \
                            points of the function's box";
            return Err(format!("line {number} is of numbers, without names of columns: {expected}"));
        }
        break;
    }
    Ok(commented)
}

/// Refuses a line that has not a value for each of `expected` names; empty ones beyond them are of separators at its end.
fn check_width(
    number: usize,
    line: &str,
    values: &[&str],
    expected: usize,
    separator: Separator,
) -> Result<(), String> {
    let given = values.len();
    if given >= expected && values[expected..].iter().all(|value| value.is_empty()) {
        return Ok(());
    }
    if separator == Separator::Blanks && line.contains(',') || given == 1 && Separator::of(line) != separator {
        let other = Separator::of(line).name();
        let problem = format!("the values are separated by {other} and the names by {}", separator.name());
        return Err(format!("line {number}: {problem}: expected the same, with decimal points"));
    }
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let hint = if separator == Separator::Comma && given == 2 * expected { ", and decimal points" } else { "" };
    let (values, names) = (count(given, "value"), count(expected, "name"));
    Err(format!(
        "line {number} has {values}, and the line of names has {names}: expected one value for every name{hint}"
    ))
}

/// Refuses a column without a name that does not count from 0 or 1.
fn check_index(texts: &[&str]) -> Result<(), String> {
    let counts = |from: usize| texts.iter().zip(from..).all(|(text, number)| text.parse() == Ok(number as f64));
    if counts(0) || counts(1) {
        return Ok(());
    }
    Err("the first column has no name: expected one such as x0, or an index that counts 0, 1, 2, …".to_owned())
}

/// The values of the column `name`, which are on `lines`.
fn column(name: &str, texts: &[&str], lines: &[usize], separator: Separator) -> Result<Values, String> {
    let fail = |row: usize, problem: String| {
        format!("column {}, point {} (line {}): {problem}", excerpt(name), row + 1, lines[row])
    };
    let number = |(row, text): (usize, &&str)| text.parse::<f64>().map_err(|_| fail(row, no_number(text, separator)));
    match role(name) {
        Role::Other => return Ok(Values::Unread),
        Role::Label => {}
        Role::X(_) | Role::U(_) => {
            let values = texts.iter().enumerate().map(number).collect::<Result<_, _>>()?;
            return Ok(Values::Numbers { values, precision: f64::EPSILON });
        }
    }
    let [function, optimizer, seed, ..] = LABELS;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Values::Label(if name == function || name == optimizer {
        Column::new(name.into(), texts.iter().map(|text| given(text)).collect::<Vec<_>>())
    } else if name == seed {
        let seeds = texts.iter().enumerate().map(|(row, text)| {
            let seed = given(text).map(|text| text.parse::<u64>()).transpose();
            seed.map_err(|_| fail(row, format!("expected a whole number, not '{}'", excerpt(text))))
        });
        Column::new(name.into(), seeds.collect::<Result<Vec<_>, _>>()?)
    } else {
        let values = texts.iter().enumerate().map(|place| given(place.1).map(|_| number(place)).transpose());
        Column::new(name.into(), values.collect::<Result<Vec<_>, _>>()?)
    }))
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok() || has_decimal_comma(text)
}

fn has_decimal_comma(text: &str) -> bool {
    text.matches(',').count() == 1 && text.replace(',', ".").parse::<f64>().is_ok()
}

/// The fault of a value that is no number.
fn no_number(text: &str, separator: Separator) -> String {
    let shown = excerpt(text);
    if text.is_empty() {
        "expected a number, and the value is missing".to_owned()
    } else if has_decimal_comma(text) {
        let between = match separator {
            Separator::Comma => String::new(),
            other => format!(", and the columns are separated by {}", other.name()),
        };
        format!("'{shown}' has a decimal comma{between}: expected decimal points, and commas between columns")
    } else if text.contains(';') {
        format!("'{shown}' has a semicolon in it: expected the same separator as between the names")
    } else {
        format!("expected a number, not '{shown}'")
    }
}
