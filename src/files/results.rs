//! `results.json` in the making: it has another name until all of a run is written, so that its presence says that the
//! run is finished.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::disk::{self, PARTIAL};
use super::{FileError, RESULTS};

/// Results that are not those of a finished run yet. It is written to, read, and then either kept or left behind under
/// its partial name.
pub struct Draft {
    dir: PathBuf,
    file: File,
}

impl Draft {
    /// Begins results in a folder, which is made if need be. What a run that failed left there is replaced; the
    /// results of one that did not are kept until there are others.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(dir: &Path) -> Result<Self, FileError> {
        fs::create_dir_all(dir).map_err(|e| FileError::new("create", dir, e))?;
        let path = partial(dir);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).map_err(|e| FileError::new("write", path, e))?;
        Ok(Self { dir: dir.to_path_buf(), file })
    }

    /// What was written, from its beginning.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn read(&mut self) -> Result<impl io::Read + io::Seek, FileError> {
        self.doing("read", |file| file.seek(SeekFrom::Start(0)))?;
        Ok(&self.file)
    }

    /// Puts other bytes in the place of the last ones.
    ///
    /// # Errors
    /// The disk refuses, or it does not end as told.
    pub fn replace_end(&mut self, end: &[u8], by: &[u8]) -> Result<(), FileError> {
        self.doing("write", |file| {
            let at = file.metadata()?.len().checked_sub(end.len() as u64);
            let at = at.ok_or_else(|| io::Error::other("it is shorter than its end"))?;
            file.seek(SeekFrom::Start(at))?;
            let mut found = Vec::new();
            io::Read::read_to_end(file, &mut found)?;
            if found != end {
                return Err(io::Error::other("it does not end as results do"));
            }
            file.set_len(at)?;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(by)
        })
    }

    /// Makes it the results of the folder.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn keep(mut self) -> Result<(), FileError> {
        let dir = self.dir.clone();
        self.doing("write", |file| {
            file.sync_all()?;
            fs::rename(partial(&dir), dir.join(RESULTS))?;
            disk::sync_dir(&dir)
        })
    }

    fn doing<T>(&mut self, doing: &'static str, work: impl FnOnce(&mut File) -> io::Result<T>) -> Result<T, FileError> {
        work(&mut self.file).map_err(|e| FileError::new(doing, partial(&self.dir), e))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn partial(dir: &Path) -> PathBuf {
    dir.join(format!("{RESULTS}{PARTIAL}"))
}
