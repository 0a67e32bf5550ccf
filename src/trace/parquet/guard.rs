//! Reading files that may be damaged: no panic, and no more memory than a file of their size and rows can need.

use super::thrift;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Once;
use std::{panic, thread};

/// A file of which no more is read than there is.
pub(super) struct Guarded {
    file: File,
    length: u64,
}

/// Bytes of a page that are always taken for possible, and how many more each compressed byte may stand for: zstd makes up
/// to 2^15 of one.
const PAGE: u64 = 1 << 26;
const DENSEST: u64 = 1 << 16;

impl Guarded {
    /// False if the footer of `length` bytes, as far as the file is long enough for it, would take out of all proportion to go through.
    fn has_sound_footer(&self, length: u64) -> bool {
        let reader = self.length.checked_sub(8 + length).filter(|_| length > 0).map(|start| self.file.get_read(start));
        // What cannot be read is found out about when it is to be.
        let Some(Ok(reader)) = reader else { return true };
        thrift::is_sound(reader.take(length))
    }
}

impl Length for Guarded {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Guarded {
    type T = BufReader<File>;

    /// A reader that begins with the header of a page. The memory for a page is taken by what its header says.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut reader = self.file.get_read(start)?;
        // The end of the file, which is no page.
        if start >= self.length.saturating_sub(8) {
            return Ok(reader);
        }
        let [_, plain, compressed] = page_sizes(reader.fill_buf()?).ok_or_else(impossible)?;
        if compressed > self.length || plain > PAGE.max(compressed.saturating_mul(DENSEST)) {
            return Err(impossible());
        }
        if !thrift::is_sound(reader) {
            return Err(impossible());
        }
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(impossible());
        }
        self.file.get_bytes(start, length)
    }
}

/// The first three numbers of a page's header: its kind, its size and its compressed size.
fn page_sizes(mut header: &[u8]) -> Option<[u64; 3]> {
    let mut found = [0; 3];
    for number in &mut found {
        // A 32-bit integer in the field after the last one, in Thrift's compact protocol.
        header = header.strip_prefix(&[0x15])?;
        let length = 1 + header.iter().take(9).position(|byte| byte & 0x80 == 0)?;
        let (bytes, rest) = header.split_at(length);
        let zigzag = bytes.iter().rev().fold(0u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        if zigzag & 1 == 1 {
            return None;
        }
        (*number, header) = (zigzag >> 1, rest);
    }
    Some(found)
}

/// Pages that hold no more values than their row group has rows, nor than their bytes can be.
pub(super) struct Checked {
    pub pages: Box<dyn PageReader>,
    pub rows: usize,
    pub optional: bool,
}

impl Checked {
    /// True if the memory that the numbers of values in `page` call for is that of a page.
    fn is_possible(&self, page: &Page) -> bool {
        let (levels, encoding) = match *page {
            // Every value of a dictionary takes a byte at least.
            Page::DictionaryPage { ref buf, num_values, .. } => return num_values as usize <= buf.len(),
            Page::DataPage { ref buf, encoding, .. } => {
                let length = buf.first_chunk().map(|&length| u32::from_le_bytes(length) as usize);
                (if self.optional { length.and_then(|length| length.checked_add(4)) } else { Some(0) }, encoding)
            }
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, encoding, .. } => {
                (def_levels_byte_len.checked_add(rep_levels_byte_len).map(|length| length as usize), encoding)
            }
        };
        let values = || levels.and_then(|levels| page.buffer().get(levels..));
        let possible = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => values().and_then(|values| after_lengths(values, self.rows)).is_some(),
            Encoding::DELTA_BYTE_ARRAY => {
                let suffixes = values().and_then(|values| after_lengths(values, self.rows));
                suffixes.and_then(|suffixes| after_lengths(suffixes, self.rows)).is_some()
            }
            _ => true,
        };
        possible && page.num_values() as usize <= self.rows
    }
}

/// The rest of `bytes` after at most `most` lengths in the encoding DELTA_BINARY_PACKED.
fn after_lengths(mut bytes: &[u8], most: usize) -> Option<&[u8]> {
    let number = |bytes: &mut &[u8]| {
        let length = 1 + bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
        let (number, rest) = bytes.split_at(length);
        *bytes = rest;
        number.iter().rev().try_fold(0usize, |sum, byte| Some(sum.checked_mul(128)? | usize::from(byte & 0x7f)))
    };
    let (block, parts, count) = (number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?);
    number(&mut bytes)?;
    let each = block.checked_div(parts).filter(|&each| each > 0 && count <= most)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        number(&mut bytes)?;
        let (widths, rest) = bytes.split_at_checked(parts)?;
        bytes = rest;
        for &width in widths {
            if left > 0 {
                bytes = bytes.get(each.checked_mul(usize::from(width))?.div_ceil(8)..)?;
                left = left.saturating_sub(each);
            }
        }
    }
    Some(bytes)
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        match self.pages.get_next_page()? {
            Some(page) if !self.is_possible(&page) => Err(impossible()),
            page => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }
}

impl Iterator for Checked {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn impossible() -> ParquetError {
    ParquetError::General(IMPOSSIBLE.to_owned())
}

const IMPOSSIBLE: &str = "a length or an offset in it is impossible";

/// The bytes that are left for a table: a few of a file can stand for any number of equal values.
pub(super) struct Memory(Cell<u64>);

impl Memory {
    pub fn new(bytes: u64) -> Self {
        Self(Cell::new(bytes))
    }

    /// Takes `bytes` of it.
    pub fn take(&self, bytes: usize) -> Result<(), String> {
        let left = self.0.get().checked_sub(bytes as u64);
        self.0.set(left.ok_or("the table in it takes more memory than is free: expected one of fewer rows")?);
        Ok(())
    }
}

pub(super) fn damaged(how: &str) -> String {
    format!("expected a whole Parquet file, and this one is damaged: {how}")
}

/// The fault of a file that cannot be read.
pub(super) fn describe(error: ParquetError) -> String {
    match error {
        ParquetError::NYI(_) => {
            "expected an encoding and a compression in common use, such as those that pyarrow, pandas or \
                                 Polars take unless asked for others"
                .to_owned()
        }
        ParquetError::General(text) if text.contains("encrypt") => "expected a file that is not encrypted".to_owned(),
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) if source.raw_os_error().is_some() => format!("it cannot be read: {source}"),
            _ => damaged(CHANGED),
        },
        _ => damaged(CHANGED),
    }
}

const CHANGED: &str = "it was cut short or changed";

/// Bytes of stack for every byte of a footer, whose fields can be nested as deep as it is long.
const STACK: usize = 512;

/// The result of `work` on a file, on a thread of its own: the reader checks most of what it reads, but not all, so a damaged file
/// can make it panic, which is caught here and not printed, or nest its schema deeper than an ordinary stack.
pub(super) fn apart<T: Send>(file: File, work: impl FnOnce(Guarded) -> Result<T, String> + Send) -> Result<T, String> {
    thread_local! {
        /// True if the panics of this thread are not shown to the user.
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !QUIET.get() {
                before(information);
            }
        }));
    });
    let file = Guarded { length: file.metadata().map(|metadata| metadata.len()).unwrap_or(0), file };
    let tail = file.length.checked_sub(8).and_then(|start| file.file.get_bytes(start, 8).ok());
    let is_parquet = tail.as_ref().is_some_and(|tail| tail.ends_with(b"PAR1"));
    let footer = tail.map_or(0, |tail| u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]])));
    let stack = (1 << 21) + STACK * footer.min(file.length) as usize;
    thread::scope(|scope| {
        let work = || {
            QUIET.set(true);
            if is_parquet && !file.has_sound_footer(footer) {
                return Err(damaged(CHANGED));
            }
            work(file)
        };
        let reading = thread::Builder::new().stack_size(stack).spawn_scoped(scope, work);
        let reading =
            reading.map_err(|error| {
                format!(
                    "no thread with {stack} bytes of stack can be started to read it: {error}; free memory, or allow more threads (ulimit -u, \
                     ulimit -v, pids.max)"
                )
            })?;
        reading.join().unwrap_or_else(|_| Err(damaged(IMPOSSIBLE)))
    })
}
