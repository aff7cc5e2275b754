//! The lists of results on their way to disk: each in a file of its own until what stands before it is known, and then
//! all of them in one `results.json`.
//!
//! The files lie beside the results and are gone when the spool is, whatever happened.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::disk::PARTIAL;
use super::{Draft, FileError, RESULTS, SnapshotError};
use crate::assess::{Output, Portion};
use crate::model::ids::AccountId;
use crate::results::Results;

/// The lists, as the members of results that hold them.
const LISTS: [&[&str]; 8] = [
    &["accounts"],
    &["findings"],
    &["questions"],
    &["sources"],
    &["coverage", "denied"],
    &["coverage", "failed"],
    &["coverage", "regions"],
    &["coverage", "populations"],
];
/// The one whose elements do not stay in the order they come in.
const ACCOUNTS: usize = 0;
/// Bytes gathered before a write.
const BUFFER: usize = 256 * 1024;
/// Bytes of a text that stand in one place in memory.
const BLOCK: usize = 64 * 1024;

/// Lists of results in the making.
pub struct Spool {
    dir: PathBuf,
    lists: Vec<List>,
    /// Accounts as they come, with where the element of each begins; the last is where the list ends.
    accounts: Vec<(AccountId, u64)>,
}

struct List {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

/// What a portion adds to each list, as text.
pub struct Piece {
    account: Option<AccountId>,
    lists: [Text; LISTS.len()],
}

/// Text that may grow to megabytes, in blocks: it is not copied as it grows, and the room it leaves is of use to others.
#[derive(Default)]
struct Text {
    blocks: Vec<Vec<u8>>,
}

impl Output for Spool {
    type Piece = Piece;
    type Error = SnapshotError;

    fn piece(portion: Portion) -> Piece {
        let account = portion.result.as_ref().map(|result| result.id.clone());
        let lists = [
            elements(ACCOUNTS, portion.result),
            elements(1, portion.findings),
            elements(2, portion.questions),
            elements(3, portion.sources),
            elements(4, portion.denied),
            elements(5, portion.failed),
            elements(6, portion.regions),
            elements(7, portion.populations),
        ];
        Piece { account, lists }
    }

    fn take(&mut self, piece: Piece) -> Result<(), SnapshotError> {
        if let Some(account) = piece.account {
            self.accounts.push((account, self.lists[ACCOUNTS].bytes));
        }
        for (list, text) in self.lists.iter_mut().zip(&piece.lists) {
            for block in &text.blocks {
                list.file.write_all(block).map_err(|e| FileError::new("write", &list.path, e))?;
                list.bytes += block.len() as u64;
            }
        }
        Ok(())
    }
}

impl Spool {
    /// Begins in a folder, which is made if need be.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(dir: &Path) -> Result<Self, FileError> {
        fs::create_dir_all(dir).map_err(|e| FileError::new("create", dir, e))?;
        let mut spool = Self { dir: dir.to_path_buf(), lists: Vec::new(), accounts: Vec::new() };
        for member in LISTS {
            let path = dir.join(format!("{RESULTS}.{}{PARTIAL}", member.join(".")));
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(true);
            let file = options.open(&path).map_err(|e| FileError::new("write", &path, e))?;
            // Where an open file can go without a name, nothing is left of it even by a kill.
            #[cfg(unix)]
            fs::remove_file(&path).map_err(|e| FileError::new("remove", &path, e))?;
            spool.lists.push(List { path, file: BufWriter::with_capacity(BUFFER, file), bytes: 0 });
        }
        Ok(spool)
    }

    /// Writes results whose lists are those spooled; `results` has the rest, and `order` that of the accounts.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn assemble<'a>(
        mut self,
        results: &Results,
        order: impl Iterator<Item = &'a AccountId>,
    ) -> Result<Draft, FileError> {
        let mut draft = Draft::begin(&self.dir)?;
        let end = self.lists[ACCOUNTS].bytes;
        let ends = self.accounts.iter().skip(1).map(|(_, begin)| *begin).chain([end]);
        let pieces: Vec<(u64, u64)> = self.accounts.iter().zip(ends).map(|((_, begin), end)| (*begin, end)).collect();
        // They came in the order of their ids.
        let order: Vec<(u64, u64)> = order
            .filter_map(|id| self.accounts.binary_search_by_key(&id, |(id, _)| id).ok())
            .map(|at| pieces[at])
            .collect();
        let value = serde_json::to_value(results);
        let value = value.unwrap_or_else(|e| panic!("internal error: results are plain data: {e}"));
        let mut written = || -> io::Result<()> {
            let mut out = BufWriter::with_capacity(BUFFER, &mut draft);
            write_members(&mut out, &value, &mut Vec::new(), &mut self.lists, &order)?;
            out.write_all(b"\n")?;
            out.flush()
        };
        written().map_err(|e| FileError::new("write", self.dir.join(RESULTS), e))?;
        Ok(draft)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        for list in &self.lists {
            // Gone already where its name was taken at once; nothing can be done about one that does not go.
            let _ = fs::remove_file(&list.path);
        }
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.blocks.last_mut() {
            Some(last) if last.len() + bytes.len() <= BLOCK => last.extend_from_slice(bytes),
            // Most texts are short; whatever is longer than a block has one of its own.
            None => self.blocks.push(bytes.to_vec()),
            Some(_) => {
                let mut block = Vec::with_capacity(BLOCK.max(bytes.len()));
                block.extend_from_slice(bytes);
                self.blocks.push(block);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Elements of a list as they stand in results, each after a comma and a line break; each is let go when it is written.
fn elements<T: Serialize>(list: usize, items: impl IntoIterator<Item = T>) -> Text {
    let depth = LISTS[list].len() + 1;
    let mut text = Text::default();
    let mut write = |item: T| -> io::Result<()> {
        write!(text, ",\n{}", indent(depth))?;
        write_pretty(&mut text, &item, depth)
    };
    for item in items {
        write(item).unwrap_or_else(|e| panic!("internal error: results are plain data: {e}"));
    }
    text
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// Pretty JSON as it stands so deep in a document.
fn write_pretty(out: &mut impl Write, value: &impl Serialize, depth: usize) -> io::Result<()> {
    let mut formatter = PrettyFormatter::new();
    // It counts what is open, and that is written already.
    (0..depth).try_for_each(|_| formatter.begin_array(&mut io::sink()))?;
    Ok(value.serialize(&mut Serializer::with_formatter(out, formatter))?)
}

/// Writes an object member by member, lists from where they were spooled, all as `to_writer_pretty` would.
fn write_members(
    out: &mut impl Write,
    value: &Value,
    path: &mut Vec<String>,
    lists: &mut [List],
    accounts: &[(u64, u64)],
) -> io::Result<()> {
    let depth = path.len() + 1;
    let indent = indent(depth);
    let members = value.as_object().into_iter().flatten();
    for (number, (name, member)) in members.enumerate() {
        out.write_all(if number == 0 { b"{\n" } else { b",\n" })?;
        write!(out, "{indent}{}: ", Value::from(name.as_str()))?;
        path.push(name.clone());
        if let Some(list) = LISTS.iter().position(|list| list.iter().eq(path.iter())) {
            write_list(out, &mut lists[list], &indent, (list == ACCOUNTS).then_some(accounts))?;
        } else if LISTS.iter().any(|list| list.len() > path.len() && list.iter().zip(path.iter()).all(|(a, b)| a == b))
        {
            write_members(out, member, path, lists, accounts)?;
        } else {
            write_pretty(out, member, depth)?;
        }
        path.pop();
    }
    write!(out, "\n{}}}", &indent[2..])
}

fn write_list(out: &mut impl Write, list: &mut List, indent: &str, pieces: Option<&[(u64, u64)]>) -> io::Result<()> {
    list.file.flush()?;
    let whole = [(0, list.bytes)];
    let mut empty = true;
    for (begin, end) in pieces.unwrap_or(&whole).iter().filter(|(begin, end)| begin < end) {
        let file = list.file.get_mut();
        // The first element of the list follows no other.
        let begin = begin + u64::from(empty);
        out.write_all(if empty { b"[" } else { b"" })?;
        file.seek(SeekFrom::Start(begin))?;
        io::copy(&mut file.take(end - begin), out)?;
        empty = false;
    }
    if empty { out.write_all(b"[]") } else { write!(out, "\n{indent}]") }
}
