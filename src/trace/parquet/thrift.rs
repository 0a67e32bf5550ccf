//! Structures of Thrift's compact protocol, in which a Parquet file has its footer and the headers of its pages.
//!
//! Source: the Apache Thrift project, "Thrift compact protocol encoding".

use std::io::{self, BufRead, Read};

/// Structures in structures that the crate `parquet` follows.
const DEEPEST: usize = 64;

/// True if `input` begins with a whole structure in which every element of a list takes a byte at least. One that takes none would be
/// gone through as often as the list says, up to 2^31 times for six bytes.
pub(super) fn is_sound(mut input: impl BufRead) -> bool {
    skip(&mut input, STRUCTURE, DEEPEST).is_some()
}

const STRUCTURE: u8 = 12;

/// Goes past a value of type `kind`.
fn skip(input: &mut impl BufRead, kind: u8, deepest: usize) -> Option<()> {
    let deepest = deepest.checked_sub(1)?;
    match kind {
        // A truth value is in its type.
        1 | 2 => {}
        3 => bytes(input, 1)?,
        4..=6 => _ = number(input)?,
        7 => bytes(input, 8)?,
        8 => {
            let length = number(input)?;
            bytes(input, length)?;
        }
        9 | 10 => {
            let header = byte(input)?;
            let size = if header >> 4 == 15 { number(input)? } else { u64::from(header >> 4) };
            all(input, size, &[header & 15], deepest)?;
        }
        11 => {
            let size = number(input)?;
            if size > 0 {
                let kinds = byte(input)?;
                all(input, size, &[kinds >> 4, kinds & 15], deepest)?;
            }
        }
        STRUCTURE => loop {
            let field = byte(input)?;
            if field == 0 {
                break;
            }
            if field >> 4 == 0 {
                number(input)?;
            }
            skip(input, field & 15, deepest)?;
        },
        13 => bytes(input, 16)?,
        _ => return None,
    }
    Some(())
}

/// Goes past `size` times values of these types.
fn all(input: &mut impl BufRead, size: u64, kinds: &[u8], deepest: usize) -> Option<()> {
    if size > 0 && kinds.iter().all(|kind| matches!(kind, 1 | 2)) {
        return None;
    }
    for _ in 0..size {
        for &kind in kinds {
            skip(input, kind, deepest)?;
        }
    }
    Some(())
}

fn byte(input: &mut impl BufRead) -> Option<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

fn bytes(input: &mut impl BufRead, count: u64) -> Option<()> {
    let skipped = io::copy(&mut input.by_ref().take(count), &mut io::sink()).ok()?;
    (skipped == count).then_some(())
}

/// A number of seven bits per byte, the lowest first.
fn number(input: &mut impl BufRead) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(input)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_whose_elements_take_no_bytes_are_unsound() {
        let list = |element: u8| [&[0x19, 0xf0 | element][..], &[0xff, 0xff, 0xff, 0xff, 0x07], &[0]].concat();
        // Of truth values, and of lists, of which the first is empty and the next is the end.
        assert!(!is_sound(&list(1)[..]) && !is_sound(&list(9)[..]));
        let map = |kinds: u8| [&[0x1b, 2, kinds][..], &[0; 4]].concat();
        assert!(!is_sound(&map(0x12)[..]), "a map of truth values");
        assert!(is_sound(&map(0x13)[..]), "a map of truth values and bytes");
        // A text, a number of two bytes, a double, an empty list, a structure with a truth value, a field with its number.
        let sound = [
            &[0x18, 3, b'a', b'b', b'c', 0x15, 0x80, 1, 0x17][..],
            &[0; 8],
            &[0x19, 0x0c, 0x1c, 0x11, 0, 0x05, 0x90, 0x03, 7, 0],
        ]
        .concat();
        assert!(is_sound(&sound[..]));
        for length in 0..sound.len() {
            assert!(!is_sound(&sound[..length]), "{length}");
        }
        assert!(is_sound(&[&[0x1c; 62][..], &[0; 63]].concat()[..]));
        assert!(!is_sound(&[&[0x1c; 64][..], &[0; 65]].concat()[..]), "deeper than it is followed");
    }
}
