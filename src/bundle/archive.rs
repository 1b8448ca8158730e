//! The files of a function, and the zip that they become.

mod links;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use self::links::{LONGEST_PATH, Links, Stray};
use crate::bundle::{Asset, Error, FunctionSource, Purpose};
use crate::project::output_file;

/// What a function may be unpacked, its layers included: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub(super) const MOST_BYTES: u64 = 250 * 1024 * 1024;

/// The file that Lambda runs.
const BOOTSTRAP: &str = "bootstrap";

/// A pipe, a socket or a device, which is read without end or not at all.
const SPECIAL: &str = "neither a file nor a folder";

/// How long a zip that no function needs any more is kept for another command that may be uploading it.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// The files of a function, by name.
#[derive(Debug, Default)]
pub(super) struct Contents(BTreeMap<String, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    mode: u32,
    bytes: Vec<u8>,
}

impl Contents {
    /// A program alone.
    pub(super) fn program(function: &FunctionSource, program: &Path) -> Result<Self, Error> {
        let mut collector = Collector::new(function);
        let file = File::open(program).map_err(|source| unreadable(function, program, source))?;
        collector.add(BOOTSTRAP, 0o755, file)?.map_err(|source| unreadable(function, program, source))?;
        Ok(collector.contents)
    }

    /// What a prebuilt zip holds.
    pub(super) fn zip(function: &FunctionSource, path: &Path) -> Result<Self, Error> {
        let file = open_zip(function, path)?;
        let broken = |source| Error::BrokenZip { function: function.id.clone(), file: path.to_owned(), source };
        let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(broken)?;
        let mut collector = Collector::new(function);
        let mut links = Links::default();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(broken)?;
            let name = plain(&entry.name().map_err(broken)?);
            if entry.is_dir() {
                links.insert_folder(&name);
                continue;
            }
            if entry.is_symlink() {
                links.insert(name, target(&mut entry).map_err(|source| broken(ZipError::Io(source)))?);
                continue;
            }
            let mode = normal_mode(entry.unix_mode().unwrap_or_default());
            collector.add(&name, mode, entry)?.map_err(|source| broken(ZipError::Io(source)))?;
        }
        let files = collector.contents.0.keys().cloned().collect();
        let stray = |(name, stray): (&str, Stray)| match stray {
            Stray::Nowhere => Error::Link { function: function.id.clone(), name: name.to_owned() },
            Stray::TooMuch => Error::Links { function: function.id.clone(), name: name.to_owned() },
        };
        for (name, file) in links.follow(&files).map_err(stray)? {
            collector.copy(&name, &file)?;
        }
        collector.contents.without_clash(function)?.with_bootstrap(function, path)
    }

    /// What a prebuilt folder holds, links followed.
    pub(super) fn directory(function: &FunctionSource, folder: &Path) -> Result<Self, Error> {
        let mut collector = Collector::new(function);
        expect_folder(function, folder)?;
        for entry in walkdir::WalkDir::new(folder).follow_links(true) {
            let entry = entry.map_err(|error| unreadable(function, folder, error.into()))?;
            if entry.file_type().is_dir() {
                continue;
            }
            if !entry.file_type().is_file() {
                return Err(wrong_kind(function, entry.path(), SPECIAL, "leave it out of the folder".to_owned()));
            }
            let name = relative_name(function, folder, entry.path())?;
            let unreadable = |source| unreadable(function, entry.path(), source);
            let file = File::open(entry.path()).map_err(unreadable)?;
            let mode = mode(&file).map_err(unreadable)?;
            collector.add(&name, mode, file)?.map_err(unreadable)?;
        }
        collector.contents.with_bootstrap(function, folder)
    }

    /// The file that Lambda runs.
    pub(super) fn bootstrap(&self) -> &[u8] {
        &self.0.get(BOOTSTRAP).expect("every way to make contents puts it in").bytes
    }

    /// SHA-256 over the names, modes and contents. Not over the zip, whose bytes change with the packer's version.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, entry) in &self.0 {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(entry.mode.to_le_bytes());
            hash.update((entry.bytes.len() as u64).to_le_bytes());
            hash.update(&entry.bytes);
        }
        hex::encode(hash.finalize())
    }

    /// The same, where no file has the name of a folder.
    fn without_clash(self, function: &FunctionSource) -> Result<Self, Error> {
        let mut folders = self.0.keys().flat_map(|name| name.match_indices('/').filter_map(|(end, _)| name.get(..end)));
        match folders.find(|folder| self.0.contains_key(*folder)) {
            Some(name) => Err(Error::FileAndFolder { function: function.id.clone(), name: name.to_owned() }),
            None => Ok(self),
        }
    }

    fn with_bootstrap(self, function: &FunctionSource, file: &Path) -> Result<Self, Error> {
        let help = match self.0.get(BOOTSTRAP) {
            Some(entry) if entry.mode & 0o111 != 0 => return Ok(self),
            Some(_) => "make it executable: `chmod +x bootstrap`, before it is packed".to_owned(),
            None => "Lambda runs the file of that name at the top; rename your program to it".to_owned(),
        };
        Err(Error::NoBootstrap { function: function.id.clone(), file: file.to_owned(), help })
    }

    fn write(&self, zip: impl Write + io::Seek, compression: CompressionMethod) -> Result<(), ZipError> {
        let mut writer = ZipWriter::new(zip);
        for (name, entry) in &self.0 {
            let options = SimpleFileOptions::default()
                .compression_method(compression)
                .last_modified_time(DateTime::DEFAULT)
                .unix_permissions(entry.mode);
            writer.start_file(name, options)?;
            writer.write_all(&entry.bytes)?;
        }
        writer.finish()?.flush()?;
        Ok(())
    }
}

/// Takes files in until they are too many bytes.
struct Collector<'a> {
    function: &'a FunctionSource,
    contents: Contents,
    left: u64,
}

impl<'a> Collector<'a> {
    fn new(function: &'a FunctionSource) -> Self {
        Self { function, contents: Contents::default(), left: MOST_BYTES }
    }

    /// Takes one file. The outer error is about the function, the inner one about reading.
    fn add(&mut self, name: &str, mode: u32, reader: impl Read) -> Result<io::Result<()>, Error> {
        if !is_relative(name) {
            return Err(Error::FileName { function: self.function.id.clone(), name: name.to_owned() });
        }
        let mut bytes = Vec::new();
        if let Err(error) = reader.take(self.left.saturating_add(1)).read_to_end(&mut bytes) {
            return Ok(Err(error));
        }
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(Error::TooBig { function: self.function.id.clone() });
        };
        self.left = left;
        self.contents.0.insert(name.to_owned(), Entry { mode, bytes });
        Ok(Ok(()))
    }

    /// Takes one of its files in again, under another name.
    fn copy(&mut self, name: &str, file: &str) -> Result<(), Error> {
        let Some(Entry { mode, bytes }) = self.contents.0.get(file).cloned() else { return Ok(()) };
        self.add(name, mode, bytes.as_slice()).map(drop)
    }
}

/// What a symbolic link of a zip says of where it leads.
fn target(link: &mut impl Read) -> io::Result<String> {
    let mut target = String::new();
    link.take(LONGEST_PATH as u64).read_to_string(&mut target)?;
    Ok(target)
}

/// A name without the parts that lead nowhere: some packers write `./bootstrap`.
fn plain(name: &str) -> String {
    name.split('/').filter(|part| *part != ".").collect::<Vec<_>>().join("/")
}

/// Whether a name stays within the folder that it is unpacked to.
fn is_relative(name: &str) -> bool {
    !name.contains(['\\', '\0']) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn relative_name(function: &FunctionSource, folder: &Path, path: &Path) -> Result<String, Error> {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    parts
        .map(|parts| parts.join("/"))
        .ok_or_else(|| Error::FileName { function: function.id.clone(), name: relative.display().to_string() })
}

/// Executable or not: nothing else of a mode matters to Lambda, and the rest depends on who packed.
fn normal_mode(mode: u32) -> u32 {
    if mode & 0o111 == 0 { 0o644 } else { 0o755 }
}

#[cfg(unix)]
fn mode(file: &File) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;

    Ok(normal_mode(file.metadata()?.permissions().mode()))
}

#[cfg(not(unix))]
fn mode(_file: &File) -> io::Result<u32> {
    Ok(0o755)
}

/// A zip to read. Whether it is a file is asked before it is opened: opening a pipe waits for somebody who writes.
fn open_zip(function: &FunctionSource, path: &Path) -> Result<File, Error> {
    let kind = fs::metadata(path).map_err(|source| unreadable(function, path, source))?;
    if kind.is_dir() {
        let help = "a folder is named with `directory:` instead of `zip:`".to_owned();
        return Err(wrong_kind(function, path, "a folder", help));
    }
    if !kind.is_file() {
        return Err(wrong_kind(function, path, SPECIAL, "name a file".to_owned()));
    }
    File::open(path).map_err(|source| unreadable(function, path, source))
}

fn expect_folder(function: &FunctionSource, folder: &Path) -> Result<(), Error> {
    let kind = fs::metadata(folder).map_err(|source| unreadable(function, folder, source))?;
    if kind.is_dir() {
        return Ok(());
    }
    let found = if kind.is_file() { "a file" } else { SPECIAL };
    let help = "name the folder that holds `bootstrap`; a zip is named with `zip:` instead of `directory:`".to_owned();
    Err(wrong_kind(function, folder, found, help))
}

fn wrong_kind(function: &FunctionSource, file: &Path, found: &'static str, help: String) -> Error {
    Error::WrongKind { function: function.id.clone(), file: file.to_owned(), found, help }
}

fn unreadable(function: &FunctionSource, file: &Path, source: io::Error) -> Error {
    Error::Unreadable { function: function.id.clone(), file: file.to_owned(), source }
}

/// The zip of some contents in a folder. One that is there already and not cut off is taken as it is: its name says what
/// it holds.
pub(super) fn pack(id: &str, contents: &Contents, folder: &Path, purpose: Purpose) -> Result<Asset, Error> {
    let digest = contents.digest();
    let file = file(folder, &digest);
    let unwritable = |source| Error::Unwritable { file: file.clone(), source };
    if !refresh(&file) || !has_an_end(&file) {
        write_whole(contents, &file, folder, purpose).map_err(unwritable)?;
    }
    let size = fs::metadata(&file).map_err(unwritable)?.len();
    Ok(Asset { id: id.to_owned(), digest, file, size })
}

/// The zip of contents with that digest.
pub(super) fn file(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("asset.{digest}.zip"))
}

/// Whether the zip is there; if it is, it counts as new, so that nobody removes it now.
pub(super) fn refresh(file: &Path) -> bool {
    let Ok(zip) = File::options().append(true).open(file) else { return false };
    // A time that cannot be set only means that the zip may have to be made again.
    let _ = zip.set_modified(SystemTime::now());
    true
}

/// Whether the list of contents, which a zip ends with, is there.
fn has_an_end(file: &Path) -> bool {
    File::open(file).is_ok_and(|zip| ZipArchive::new(io::BufReader::new(zip)).is_ok())
}

/// Writes beside and renames, so that a zip under its name is always whole. Locally a zip lives for a moment and goes
/// nowhere: packing it is what would take time.
fn write_whole(contents: &Contents, file: &Path, folder: &Path, purpose: Purpose) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (mut beside, compression) = match purpose {
        Purpose::Deploy => (output_file(folder)?, CompressionMethod::Deflated),
        Purpose::Local => (tempfile::NamedTempFile::new_in(folder)?, CompressionMethod::Stored),
    };
    contents.write(io::BufWriter::new(beside.as_file_mut()), compression)?;
    beside.persist(file)?;
    Ok(())
}

/// Removes the zips of a folder that nothing needs any more.
pub(super) fn prune(folder: &Path, needed: &[Asset]) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_zip =
            entry.file_name().to_str().is_some_and(|name| name.starts_with("asset.") && name.ends_with(".zip"));
        if is_zip && needed.iter().all(|asset| asset.file != entry.path()) && is_old(&entry) {
            // What cannot be removed now is removed next time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age > KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Architecture, Code};

    fn function() -> FunctionSource {
        let code = Code::Crate { name: "functions/hello".into(), binary: None };
        FunctionSource { id: "Hello".into(), code, architecture: Architecture::X86_64 }
    }

    fn contents(files: &[(&str, u32, &str)]) -> Contents {
        let function = function();
        let mut collector = Collector::new(&function);
        for (name, mode, text) in files {
            collector.add(name, *mode, text.as_bytes()).expect("the name is good").expect("memory is readable");
        }
        collector.contents
    }

    fn packed(contents: &Contents) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let asset = pack("Hello", contents, folder.path(), Purpose::Deploy).expect("it is writable");
        fs::read(asset.file).expect("it was written")
    }

    #[test]
    fn equal_contents_are_equal_bytes() {
        let one = contents(&[("bootstrap", 0o755, "run"), ("a/b", 0o644, "data")]);
        let other = contents(&[("a/b", 0o644, "data"), ("bootstrap", 0o755, "run")]);
        assert_eq!(packed(&one), packed(&other));
        assert_eq!(one.digest(), other.digest());
    }

    #[test]
    fn a_zip_for_others_is_a_file_like_any_other() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mode = |file: &Path| fs::metadata(file).expect("it was written").permissions().mode();
        let contents = contents(&[("bootstrap", 0o755, "run")]);
        let asset = pack("Hello", &contents, folder.path(), Purpose::Deploy).expect("it is writable");
        let any = folder.path().join("any");
        fs::write(&any, "").expect("it is writable");
        assert_eq!(mode(&asset.file), mode(&any));
    }

    #[test]
    fn the_digest_covers_names_modes_and_contents() {
        let digest = |name: &str, mode, text: &str| contents(&[(name, mode, text)]).digest();
        let first = digest("bootstrap", 0o755, "run");
        assert_eq!(first.len(), 64);
        assert_ne!(first, digest("bootstrap", 0o755, "runs"));
        assert_ne!(first, digest("bootstrap", 0o644, "run"));
        assert_ne!(first, digest("bootstra", 0o755, "prun"));
    }

    #[test]
    fn a_zip_is_read_as_it_was_packed() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let files = [("bootstrap", 0o755, "run"), ("data/list", 0o644, "1")];
        let asset = pack("Hello", &contents(&files), folder.path(), Purpose::Local).expect("it is writable");
        let read = Contents::zip(&function(), &asset.file).expect("we packed it");
        assert_eq!(read.digest(), asset.digest);
        assert_eq!(asset.key(), format!("{}.zip", asset.digest));
    }

    #[test]
    fn a_folder_and_a_zip_of_it_are_the_same_code() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("data")).expect("the folder is writable");
        fs::write(folder.path().join("data/list"), "1").expect("the folder is writable");
        fs::copy("/bin/sh", folder.path().join("bootstrap")).expect("every Unix has a shell");
        let read = Contents::directory(&function(), folder.path()).expect("it holds a program");
        assert!(read.bootstrap().len() > 1000);
        assert_eq!(read.0.keys().collect::<Vec<_>>(), ["bootstrap", "data/list"]);
        assert_eq!(read.0["data/list"].mode, 0o644);
    }

    #[test]
    fn without_a_program_nothing_is_packed() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let missing = Contents::directory(&function(), folder.path()).expect_err("it is empty");
        assert!(missing.to_string().contains("holds no executable `bootstrap`"));
        fs::write(folder.path().join("bootstrap"), "run").expect("the folder is writable");
        let inert = Contents::directory(&function(), folder.path()).expect_err("it is not executable");
        assert!(matches!(inert, Error::NoBootstrap { help, .. } if help.contains("chmod")));
        let gone = Contents::zip(&function(), Path::new("no.zip")).expect_err("it is not there");
        assert!(matches!(gone, Error::Unreadable { .. }));
        let broken = Contents::zip(&function(), &folder.path().join("bootstrap")).expect_err("it is no zip");
        assert!(matches!(broken, Error::BrokenZip { .. }));
    }

    /// A zip of files as another program may pack them.
    fn foreign_zip(names: &[&str]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let mut writer = ZipWriter::new(file.as_file());
        for name in names {
            let options = SimpleFileOptions::default().unix_permissions(0o755);
            writer.start_file(*name, options).expect("the file is ours");
        }
        writer.finish().expect("the file is ours");
        file
    }

    #[test]
    fn parts_of_a_name_that_lead_nowhere_do_not_count() {
        let zip = foreign_zip(&["./bootstrap", "a/./b"]);
        let read = Contents::zip(&function(), zip.path()).expect("it is a good zip");
        assert_eq!(read.0.keys().collect::<Vec<_>>(), ["a/b", "bootstrap"]);
    }

    #[test]
    fn no_file_has_the_name_of_a_folder() {
        let zip = foreign_zip(&["bootstrap", "a/b", "a"]);
        let error = Contents::zip(&function(), zip.path()).expect_err("nobody can unpack it");
        assert_eq!(error.to_string(), "function `Hello` holds `a` both as a file and as a folder");
    }

    #[test]
    fn a_zip_is_a_file_and_a_folder_a_folder() {
        use miette::Diagnostic;

        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let [file, pipe] = ["file", "pipe"].map(|name| folder.path().join(name));
        fs::write(&file, "").expect("the folder is ours");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("every Unix has `mkfifo`");
        assert!(made.success());
        let told = |error: Error| (error.to_string(), error.help().map(|help| help.to_string()).unwrap_or_default());
        let zip = |path: &Path| told(Contents::zip(&function(), path).expect_err("it is no zip"));
        let directory = |path: &Path| told(Contents::directory(&function(), path).expect_err("it holds no program"));
        let is = |path: &Path, kind: &str| format!("`{}` of function `Hello` is {kind}", path.display());
        let (said, help) = zip(folder.path());
        assert_eq!((said, help.contains("`directory:` instead of")), (is(folder.path(), "a folder"), true));
        let (said, help) = directory(&file);
        assert_eq!((said, help.contains("`zip:` instead of")), (is(&file, "a file"), true));
        for (said, _) in [zip(&pipe), directory(&pipe), directory(folder.path())] {
            assert_eq!(said, is(&pipe, SPECIAL));
        }
    }

    /// A zip with a program and links, as `zip -y` packs them.
    fn linked(links: &[(&str, &str)]) -> Result<Contents, Error> {
        let zip = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let mut writer = ZipWriter::new(zip.as_file());
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        writer.start_file("bin/run", options).and_then(|()| Ok(writer.write_all(b"run")?)).expect("it is writable");
        for (name, target) in links {
            writer.add_symlink(*name, *target, options).expect("it is writable");
        }
        writer.finish().expect("it is writable");
        Contents::zip(&function(), zip.path())
    }

    #[test]
    fn what_a_link_of_a_zip_leads_to_takes_its_place() {
        let read = linked(&[("bootstrap", "bin/run"), ("also", "bin")]).expect("every link leads somewhere");
        assert_eq!(read.bootstrap(), b"run");
        assert_eq!(read.0.keys().collect::<Vec<_>>(), ["also/run", "bin/run", "bootstrap"]);
        assert!(read.0.values().all(|entry| entry.mode == 0o755));
        let error = linked(&[("bootstrap", "bin/run"), ("out", "../../etc/passwd")]).expect_err("it leads out");
        assert_eq!(error.to_string(), "function `Hello` holds a link `out` that leads to nothing in its zip");
        let names: Vec<_> = (0..30).map(|folder| (format!("{folder}/x"), format!("{folder}/y"), folder + 1)).collect();
        let ahead: Vec<_> = names.iter().map(|(.., next)| format!("../{next}")).collect();
        let both = names.iter().zip(&ahead).flat_map(|((x, y, _), ahead)| [(x.as_str(), ahead.as_str()), (y, ahead)]);
        let error = linked(&both.chain([("30", "bin")]).collect::<Vec<_>>()).expect_err("the links double 30 times");
        let said = "function `Hello` holds a link `0/x` that stands for more files than could be unpacked";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn names_stay_within_the_folder() {
        for name in ["../evil", "/etc/passwd", "a//b", "a/./b", "a\\b", "", "a/.."] {
            assert!(!is_relative(name), "{name}");
        }
        assert!(is_relative("a/b..c/.d"));
    }

    #[test]
    fn more_than_lambda_takes_is_refused_while_reading() {
        let function = function();
        let mut collector = Collector::new(&function);
        let error = collector.add("bootstrap", 0o755, io::repeat(0)).expect_err("it has no end");
        assert!(matches!(error, Error::TooBig { .. }));
    }

    #[test]
    fn old_zips_are_removed_and_others_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let pack = |text| pack("Hello", &contents(&[("bootstrap", 0o755, text)]), folder.path(), Purpose::Local);
        let (old, new, needed) = (pack("old"), pack("new"), pack("needed"));
        let [old, new, needed] = [old, new, needed].map(|asset| asset.expect("it is writable"));
        for asset in [&old, &needed] {
            let file = File::options().append(true).open(&asset.file).expect("it was written");
            file.set_modified(SystemTime::UNIX_EPOCH).expect("it is ours");
        }
        prune(folder.path(), std::slice::from_ref(&needed));
        assert!(!old.file.exists() && new.file.exists() && needed.file.exists());
    }
}
