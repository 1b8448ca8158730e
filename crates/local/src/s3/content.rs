//! The files that hold contents. Each is written once, under a name that nothing else has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::cloud::private_folder;

/// Path of a content below the cloud's data folder.
pub(super) fn relative(file: &str) -> PathBuf {
    Path::new("objects").join(file)
}

/// Writes a content, and answers its name.
pub(super) async fn write(data: &Path, content: Bytes) -> io::Result<String> {
    let data = data.to_owned();
    blocking(move || {
        let (name, mut file) = create(&data)?;
        file.write_all(&content)?;
        Ok(name)
    })
    .await
}

/// Writes a content that is made of others, one after the other.
pub(super) async fn concatenate(data: &Path, parts: Vec<String>) -> io::Result<String> {
    let data = data.to_owned();
    blocking(move || {
        let (name, mut whole) = create(&data)?;
        for part in parts {
            io::copy(&mut File::open(data.join(relative(&part)))?, &mut whole)?;
        }
        Ok(name)
    })
    .await
}

/// A second name for a content: neither ever changes.
pub(super) async fn link(data: &Path, file: &str) -> io::Result<String> {
    let (data, name) = (data.to_owned(), fresh());
    let (from, to) = (data.join(relative(file)), data.join(relative(&name)));
    blocking(move || fs::hard_link(from, to)).await?;
    Ok(name)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn create(data: &Path) -> io::Result<(String, File)> {
    private_folder(&data.join("objects"))?;
    let name = fresh();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(data.join(relative(&name)))?;
    Ok((name, file))
}

fn fresh() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A part of a content, whole in memory.
pub(super) async fn read(data: &Path, file: &str, start: u64, length: u64) -> io::Result<Bytes> {
    let mut file = tokio::fs::File::open(data.join(relative(file))).await?;
    file.seek(io::SeekFrom::Start(start)).await?;
    let mut whole = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut whole).await?;
    Ok(Bytes::from(whole))
}

/// A part of a content, read as it is sent.
pub(super) async fn stream(data: &Path, file: &str, start: u64, length: u64) -> io::Result<Body> {
    const PIECE: u64 = 256 << 10;
    if length <= PIECE {
        return Ok(Body::from(read(data, file, start, length).await?));
    }
    let mut file = tokio::fs::File::open(data.join(relative(file))).await?;
    file.seek(io::SeekFrom::Start(start)).await?;
    let pieces = futures_util::stream::try_unfold((file, length), |(mut file, left)| async move {
        let mut piece = Vec::new();
        let read = (&mut file).take(PIECE.min(left)).read_to_end(&mut piece).await?;
        let left = left.saturating_sub(read as u64);
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), (file, left))))
    });
    Ok(Body::from_stream(pieces))
}

/// Names of all contents, known or not.
pub(super) fn files(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("objects")).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Removes a content. What cannot be removed now is removed at the next start.
pub(super) fn remove(data: &Path, file: &str) {
    if let Err(error) = fs::remove_file(data.join(relative(file))) {
        tracing::debug!(file, %error, "a content stays until the next start");
    }
}
