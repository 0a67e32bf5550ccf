//! Widths of hidden layers.

use crate::error::{Error, excerpt};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// More hidden layers than this are a slip of the keyboard.
const MOST_LAYERS: usize = 10_000;

/// The word for a network without hidden layers.
const NONE: &str = "none";

/// The lists that [`Widths::from`] has made, each of them once.
static LISTS: Mutex<Option<HashSet<&'static [usize]>>> = Mutex::new(None);

/// The numbers of neurons of the hidden layers, from the input on. Without any the network is linear.
///
/// This is a handle of a list that lives as long as the program. [`Widths::of`] takes a literal; the other ways of making one keep
/// each list once, however often it is asked for, and never free it.
///
/// ```
/// use overparam::prelude::*;
///
/// let widths: Widths = "32,16,8".parse()?;
/// assert_eq!(widths, Widths::of(&[32, 16, 8]));
/// assert_eq!(widths.to_string(), "32,16,8");
/// assert_eq!(Widths::same(20, 2)?.uniform(), Some(20));
/// # Ok::<(), overparam::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Widths(&'static [usize]);

impl Widths {
    /// The widths of a literal, such as `&[32, 16, 8]`, or `&[]` for a linear network.
    pub const fn of(widths: &'static [usize]) -> Self {
        Self(widths)
    }

    /// `layers` hidden layers of `width` neurons.
    ///
    /// # Errors
    /// If there are more than 10,000 layers.
    pub fn same(width: usize, layers: usize) -> Result<Self, Error> {
        if layers > MOST_LAYERS {
            return Err(Self::too_many(layers.to_string()));
        }
        Ok(vec![width; layers].into())
    }

    /// The number of hidden layers.
    pub const fn layers(self) -> usize {
        self.0.len()
    }

    /// The widths, from the input on.
    pub const fn as_slice(self) -> &'static [usize] {
        self.0
    }

    /// The width that all hidden layers have; None if they differ or there is none.
    pub fn uniform(self) -> Option<usize> {
        let (&first, rest) = self.0.split_first()?;
        rest.iter().all(|&width| width == first).then_some(first)
    }

    /// The largest width, 0 if there is none.
    pub(crate) fn widest(self) -> usize {
        self.0.iter().copied().max().unwrap_or(0)
    }

    /// # Errors
    /// If a width is 0, or there are more than 10,000 layers.
    pub(crate) fn validate(self) -> Result<(), Error> {
        if self.layers() > MOST_LAYERS {
            return Err(Self::too_many(self.layers().to_string()));
        }
        if self.0.contains(&0) {
            return Err(Self::malformed(self.to_string()));
        }
        Ok(())
    }

    fn too_many(given: String) -> Error {
        Error::Setting { name: "the number of hidden layers", expected: "at most 10000", given }
    }

    fn malformed(given: String) -> Error {
        let given = format!("'{}'", excerpt(&given));
        let expected =
            "whole numbers, 1 or more, separated by single commas, such as 32,16,8, or none for a linear network";
        Error::Setting { name: "the widths of the hidden layers", expected, given }
    }
}

impl From<&[usize]> for Widths {
    fn from(widths: &[usize]) -> Self {
        let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = lists.get_or_insert_default();
        if let Some(known) = lists.get(widths) {
            return Self(known);
        }
        let kept: &'static [usize] = Box::leak(widths.into());
        lists.insert(kept);
        Self(kept)
    }
}

impl From<Vec<usize>> for Widths {
    fn from(widths: Vec<usize>) -> Self {
        widths.as_slice().into()
    }
}

/// `32,16,8`, or `none`.
impl fmt::Display for Widths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return formatter.write_str(NONE) };
        write!(formatter, "{first}")?;
        rest.iter().try_for_each(|width| write!(formatter, ",{width}"))
    }
}

impl FromStr for Widths {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim() == NONE {
            return Ok(Self(&[]));
        }
        let widths = text.split(',').take(MOST_LAYERS + 1).map(|width| match width.trim().parse() {
            Ok(0) | Err(_) => Err(Self::malformed(text.to_owned())),
            Ok(width) => Ok(width),
        });
        let widths = widths.collect::<Result<Vec<usize>, Error>>()?;
        if widths.len() > MOST_LAYERS {
            return Err(Self::too_many(text.split(',').count().to_string()));
        }
        Ok(widths.into())
    }
}

/// A list of numbers. One of more than 10,000 is refused before it is kept.
impl<'de> Deserialize<'de> for Widths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Widths;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "the widths of at most {MOST_LAYERS} hidden layers, each 1 or more")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Widths, A::Error> {
                let mut widths: Vec<usize> = Vec::new();
                while let Some(width) = list.next_element()? {
                    if width == 0 {
                        return Err(de::Error::invalid_value(de::Unexpected::Unsigned(0), &self));
                    }
                    if widths.len() == MOST_LAYERS {
                        return Err(de::Error::invalid_length(MOST_LAYERS + 1, &self));
                    }
                    widths.push(width);
                }
                Ok(widths.into())
            }
        }

        deserializer.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_equal_and_kept_once() {
        let (a, b) = (Widths::from(vec![5, 3, 4]), Widths::from(&[5, 3, 4][..]));
        assert_eq!((a, a.as_slice().as_ptr()), (b, b.as_slice().as_ptr()));
        assert_eq!(a, Widths::of(&[5, 3, 4]));
        assert_eq!((a.layers(), a.uniform(), a.widest()), (3, None, 5));
        let same = Widths::same(7, 2).unwrap();
        assert_eq!((same, same.uniform(), same.layers()), (Widths::of(&[7, 7]), Some(7), 2));
        assert_eq!((Widths::of(&[]).uniform(), Widths::of(&[]).widest()), (None, 0));
        assert_eq!(Widths::same(7, 0).unwrap(), Widths::of(&[]));
    }

    #[test]
    fn widths_are_read_as_they_are_written() {
        for widths in [Widths::of(&[32, 16, 8]), Widths::of(&[1]), Widths::of(&[])] {
            assert_eq!(widths.to_string().parse::<Widths>().unwrap(), widths);
            let json = serde_json::to_string(&widths).unwrap();
            assert_eq!(serde_json::from_str::<Widths>(&json).unwrap(), widths, "{json}");
        }
        assert_eq!(" 4, 2 ".parse::<Widths>().unwrap(), Widths::of(&[4, 2]));
        assert_eq!(serde_json::to_string(&Widths::of(&[32, 16, 8])).unwrap(), "[32,16,8]");
        assert_eq!(serde_json::to_string(&Widths::of(&[])).unwrap(), "[]");
    }

    #[test]
    fn other_lists_are_refused_in_a_sentence_and_not_kept() {
        let longer = "3,".repeat(MOST_LAYERS) + "3";
        for text in ["", " ", "0", "4,0", "4,,2", "4,2,", "four", "-1", "1.5", "4;2", "1e3", "18446744073709551616"] {
            let error = text.parse::<Widths>().unwrap_err().to_string();
            let given = format!("such as 32,16,8, or none for a linear network, not '{text}'");
            assert!(
                error.starts_with("the widths of the hidden layers must be whole numbers") && error.ends_with(&given)
            );
        }
        let error = longer.parse::<Widths>().unwrap_err().to_string();
        assert_eq!(error, "the number of hidden layers must be at most 10000, not 10001");
        let error = Widths::same(3, usize::MAX).unwrap_err().to_string();
        assert!(error.ends_with(&format!("at most 10000, not {}", usize::MAX)), "{error}");
        for json in ["[4,0]", "[-1]", "[1.5]", "4", "\"4\"", "null", "[[4]]", &format!("[{longer}]")] {
            serde_json::from_str::<Widths>(json).unwrap_err();
        }
        let error = serde_json::from_str::<Widths>(&format!("[{longer}]")).unwrap_err().to_string();
        assert!(error.contains("10001") && error.contains("at most 10000 hidden layers"), "{error}");
        // Other tests may have kept lists meanwhile, but none of these.
        let lists = LISTS.lock().unwrap();
        assert!(!lists.iter().flatten().any(|list| **list == [4, 0] || list.len() == MOST_LAYERS + 1));
    }
}
