//! The code of functions: zip archives that are checked, kept by the hash of their bytes, and unpacked once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zip::ZipArchive;

use super::invalid;
use crate::cloud::Account;
use crate::s3;
use crate::wire::Fault;

/// Most bytes that a function may have, unpacked.
pub(crate) const LARGEST: u64 = 262_144_000;

/// One version's code: which archive it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// SHA-256 of the archive, in hexadecimal.
    pub sha256: String,
    /// Bytes of the archive.
    pub size: u64,
}

/// An object in a bucket, as a function's code names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    /// Its bucket.
    pub bucket: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its version; the current one when absent.
    pub version: Option<&'a str>,
}

/// Why an archive could not be unpacked.
#[derive(Debug, Error)]
#[error("cannot unpack the function's code `{}`: {reason}", archive.display())]
pub(crate) struct Unpack {
    archive: PathBuf,
    reason: String,
}

impl Code {
    /// The hash as `GetFunction` tells it.
    pub(crate) fn sha256_base64(&self) -> String {
        STANDARD.encode(hex::decode(&self.sha256).unwrap_or_default())
    }

    /// Takes a copy of an archive into the cloud's folder.
    ///
    /// # Errors
    /// `InvalidParameterValueException` when it is no archive that Lambda would take.
    pub(crate) fn of_file(data: &Path, archive: &Path) -> Result<Self, Fault> {
        let code = inspected(archive)?;
        keep(data, &code, |to| fs::hard_link(archive, to).or_else(|_| fs::copy(archive, to).map(drop)))?;
        Ok(code)
    }

    /// Takes an archive that came with a request.
    ///
    /// # Errors
    /// `InvalidParameterValueException` when it is no archive that Lambda would take.
    pub(crate) fn of_bytes(data: &Path, archive: &[u8]) -> Result<Self, Fault> {
        let mut file = tempfile::NamedTempFile::new_in(folder(data, "packages")?).map_err(unkept)?;
        io::Write::write_all(&mut file, archive).map_err(unkept)?;
        Self::of_file(data, file.path())
    }

    fn archive(&self, data: &Path) -> PathBuf {
        data.join("lambda/packages").join(format!("{}.zip", self.sha256))
    }

    fn unpacked(&self, data: &Path) -> PathBuf {
        data.join("lambda/code").join(&self.sha256)
    }
}

/// The folder that holds a version's code, unpacked if it is not yet. Blocks.
///
/// # Errors
/// When the archive is gone or broken, or the disk is full.
pub(crate) fn unpacked(data: &Path, code: &Code) -> Result<PathBuf, Unpack> {
    let (archive, place) = (code.archive(data), code.unpacked(data));
    if place.is_dir() {
        return Ok(place);
    }
    unpack(&archive, &place).map(|()| place).map_err(|error| Unpack { archive, reason: error.to_string() })
}

/// The archive of an object, in its current version or another.
///
/// # Errors
/// `InvalidParameterValueException`, worded as AWS words it.
pub(super) fn stored(account: &Account, data: &Path, object: Object<'_>) -> Result<PathBuf, Fault> {
    let file = s3::content_file(account, object.bucket, object.key, object.version).map_err(|fault| {
        let Fault { code, message, .. } = fault;
        invalid(format!("Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"))
    })?;
    Ok(data.join(file))
}

/// Removes the code that no function uses any more.
pub(crate) fn forget_unused(data: &Path, used: &BTreeSet<String>) {
    for kind in ["packages", "code"] {
        let Ok(entries) = fs::read_dir(data.join("lambda").join(kind)) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let known = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| used.contains(stem));
            if !known {
                // What cannot be removed now is tried again at the next start.
                let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
        }
    }
}

/// Reads an archive's directory and hashes its bytes.
fn inspected(archive: &Path) -> Result<Code, Fault> {
    let broken = |_| invalid("Could not unzip uploaded file. Please check your file, then try to upload again.");
    let mut file = File::open(archive).map_err(unkept)?;
    let size = file.metadata().map_err(unkept)?.len();
    if size > LARGEST {
        return Err(too_large());
    }
    let sha256 = hash(&mut file).map_err(unkept)?;
    file.rewind().map_err(unkept)?;
    check_directory(&mut ZipArchive::new(io::BufReader::new(file)).map_err(broken)?)?;
    Ok(Code { sha256, size })
}

/// Refuses entries that would leave the folder, and archives that unpack to too much.
fn check_directory<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<(), Fault> {
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let entry =
            archive.by_index_raw(index).map_err(|error| invalid(format!("Could not unzip uploaded file: {error}")))?;
        if entry.enclosed_name().is_none() || entry.is_symlink() || entry.encrypted() {
            let name = entry.name().unwrap_or_default().into_owned();
            return Err(invalid(format!(
                "Could not unzip uploaded file: the local cloud takes plain files and folders only, and `{name}` is none"
            )));
        }
        total = total.saturating_add(entry.size());
    }
    if total > LARGEST { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Fault {
    invalid(format!("Unzipped size must be smaller than {LARGEST} bytes"))
}

fn hash(file: &mut File) -> io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 17];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        context.update(bytes);
    }
    Ok(hex::encode(context.finish()))
}

/// Puts an archive in its place, whole or not at all.
fn keep(data: &Path, code: &Code, bring: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Fault> {
    let place = code.archive(data);
    if place.exists() {
        return Ok(());
    }
    let staging = folder(data, "packages")?.join(format!("{}.part", super::revision()));
    bring(&staging).and_then(|()| fs::rename(&staging, &place)).map_err(unkept)
}

/// A folder of ours, made if it is missing.
fn folder(data: &Path, kind: &str) -> Result<PathBuf, Fault> {
    let folder = data.join("lambda").join(kind);
    fs::create_dir_all(&folder).map_err(unkept)?;
    Ok(folder)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unkept(error: io::Error) -> Fault {
    super::fault(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "ServiceException",
        format!("the local cloud cannot keep the function's code: {error}"),
    )
}

/// Unpacks beside the place, then moves the whole folder there: nobody ever sees half of it.
fn unpack(archive: &Path, place: &Path) -> io::Result<()> {
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent)?;
    let staging = tempfile::Builder::new().prefix("unpack-").tempdir_in(parent)?;
    extract(archive, staging.path())?;
    match fs::rename(staging.path(), place) {
        // Somebody else unpacked the same code meanwhile.
        Err(_) if place.is_dir() => Ok(()),
        result => result,
    }
}

fn extract(archive: &Path, folder: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(io::BufReader::new(File::open(archive)?))?;
    // The directory was believed when the archive came; what really comes out is counted here.
    let mut left = LARGEST;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(name) = entry.enclosed_name() else { continue };
        let path = folder.join(name);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut file = File::create(&path)?;
        let written = io::copy(&mut (&mut entry).take(left.saturating_add(1)), &mut file)?;
        left = left.checked_sub(written).ok_or_else(|| io::Error::other("it unpacks to more than 250 MB"))?;
        set_mode(&file, entry.unix_mode())?;
    }
    Ok(())
}

/// Keeps the permissions of the archive, as Lambda does: a `bootstrap` that is not executable there is not here.
/// Archives that hold none, such as those made on Windows, get all.
#[cfg(unix)]
fn set_mode(file: &File, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = mode.map_or(0o755, |mode| mode & 0o755 | 0o600);
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
            writer.start_file(*name, options).expect("the entry fits");
            writer.write_all(bytes).expect("memory takes it");
        }
        writer.finish().expect("memory takes it").into_inner()
    }

    fn data() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder for the test")
    }

    #[test]
    fn an_archive_is_unpacked_with_its_permissions() {
        let data = data();
        let code = Code::of_bytes(data.path(), &zip(&[("bootstrap", b"#!/bin/sh\n"), ("lib/x", b"1")])).expect("taken");
        let folder = unpacked(data.path(), &code).expect("unpacked");
        assert_eq!(fs::read(folder.join("lib/x")).expect("it is there"), b"1");
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder.join("bootstrap")).expect("it is there"));
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(unpacked(data.path(), &code).expect("again"), folder);
    }

    #[test]
    fn equal_archives_are_kept_once() {
        let data = data();
        let archive = zip(&[("bootstrap", b"x")]);
        let (one, two) = (Code::of_bytes(data.path(), &archive), Code::of_bytes(data.path(), &archive));
        assert_eq!(one, two);
        assert_eq!(fs::read_dir(data.path().join("lambda/packages")).expect("it is there").count(), 1);
    }

    #[test]
    fn an_entry_that_leaves_the_folder_is_refused() {
        let fault = Code::of_bytes(data().path(), &zip(&[("../../evil", b"x")])).expect_err("it leaves the folder");
        assert!(fault.message.contains("../../evil"), "{fault}");
    }

    #[test]
    fn what_is_no_archive_is_refused_as_aws_does() {
        let fault = Code::of_bytes(data().path(), b"not a zip").expect_err("it is no archive");
        assert_eq!(fault.code, "InvalidParameterValueException");
        assert_eq!(fault.message, "Could not unzip uploaded file. Please check your file, then try to upload again.");
    }

    #[test]
    fn what_nobody_uses_is_removed() {
        let data = data();
        let code = Code::of_bytes(data.path(), &zip(&[("bootstrap", b"x")])).expect("taken");
        let folder = unpacked(data.path(), &code).expect("unpacked");
        forget_unused(data.path(), &BTreeSet::from([code.sha256.clone()]));
        assert!(folder.exists());
        forget_unused(data.path(), &BTreeSet::new());
        assert!(!folder.exists() && !code.archive(data.path()).exists());
    }
}
