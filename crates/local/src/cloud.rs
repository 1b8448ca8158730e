//! What one account holds, and the handle through which every service reaches it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration as StdDuration;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::until;
use crate::gateway::Gateway;
use crate::runtime::Runtime;
use crate::wire::Unsaved;
use crate::{
    Error, apigateway, apigatewayv2, cloudformation, cognito, dynamodb, ecr, iam, lambda, logs, mail, s3,
    secretsmanager, ses, ssm,
};

/// Everything in one account and region: plain data, saved whole, so that what is on disk is always one moment.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// The one region, such as `us-east-1`.
    pub region: String,
    /// The port that its addresses are on. It is saved with them, so that the two never differ.
    pub port: Option<u16>,
    /// Where the cloud that holds the account answers; each process of it says so anew.
    #[serde(skip)]
    pub endpoint: String,
    /// Roles and access keys.
    pub iam: iam::Iam,
    /// Stacks and change sets.
    pub cloudformation: cloudformation::Stacks,
    /// User pools.
    pub cognito: cognito::UserPools,
    /// Functions.
    pub lambda: lambda::Functions,
    /// REST APIs.
    pub apigateway: apigateway::RestApis,
    /// HTTP APIs.
    pub apigatewayv2: apigatewayv2::Apis,
    /// Buckets and objects; contents are files beside the state.
    pub s3: s3::Buckets,
    /// Log groups; events are files beside the state.
    pub logs: logs::LogGroups,
    /// Parameters.
    pub ssm: ssm::Parameters,
    /// Secrets.
    pub secretsmanager: secretsmanager::Secrets,
    /// Tables; items are in a database beside the state.
    pub dynamodb: dynamodb::Tables,
    /// Image repositories.
    pub ecr: ecr::Repositories,
    /// Who may send messages.
    pub ses: ses::Ses,
    /// Messages that were sent.
    pub mail: mail::Mailbox,
}

/// The id of every local account.
const ACCOUNT_ID: &str = "000000000000";

impl Account {
    /// An empty account with keys of its own.
    #[must_use]
    pub fn new(region: &str) -> Self {
        let iam = iam::Iam::with_fresh_keys();
        Self { id: ACCOUNT_ID.to_owned(), region: region.to_owned(), iam, ..Self::default() }
    }

    /// Makes every address on this machine's port `from` one on `to`: outputs of stacks, the properties and environments
    /// into which they went, and what was made of them.
    fn follow(&mut self, from: u16, to: u16) -> Result<(), serde_json::Error> {
        let mut text = serde_json::to_string(self)?;
        for host in ["127.0.0.1", "localhost"] {
            text = readdressed(&text, &format!("{host}:{from}"), &format!("{host}:{to}"));
        }
        let endpoint = std::mem::take(&mut self.endpoint);
        *self = Self { endpoint, ..read_account(text.as_bytes())? };
        Ok(())
    }
}

/// A text with one address in the place of another, which must not go on with a digit: 4599 is not 45990.
fn readdressed(text: &str, from: &str, to: &str) -> String {
    let mut pieces = text.split(from);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        result.push_str(if piece.starts_with(|next: char| next.is_ascii_digit()) { from } else { to });
        result.push_str(piece);
    }
    result
}

/// A cheap handle on the running cloud.
#[derive(Debug, Clone)]
pub struct Cloud(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: Mutex<Held>,
    data: PathBuf,
    endpoint: String,
    /// Seconds that tests have moved the clock by.
    shift: AtomicI64,
    runtime: Runtime,
    gateway: Gateway,
    challenges: cognito::Challenges,
    pages: cognito::Pages,
    store: dynamodb::Store,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Held for as long as the cloud lives.
    lock: Option<File>,
}

/// The account and the bytes that it was last saved as.
#[derive(Debug)]
struct Held {
    account: Account,
    saved: Vec<u8>,
}

impl Held {
    fn new(account: Account) -> Self {
        let saved = serde_json::to_vec(&account).unwrap_or_default();
        Self { account, saved }
    }

    /// Goes back to what was last saved, if anything differs.
    fn restore(&mut self) {
        if serde_json::to_vec(&self.account).is_ok_and(|now| now == self.saved) {
            return;
        }
        match read_account(&self.saved) {
            Ok(account) => {
                let endpoint = std::mem::take(&mut self.account.endpoint);
                self.account = Account { endpoint, ..account };
            }
            Err(error) => tracing::error!(%error, "the last saved state does not read back"),
        }
    }
}

impl Cloud {
    /// A cloud that starts with `account`, whose state lives in `data` and that answers at `endpoint`.
    #[must_use]
    pub fn new(account: Account, data: PathBuf, endpoint: String) -> Self {
        Self::holding(account, data, endpoint, None)
    }

    /// The cloud that `folder` holds, which answers at `endpoint`.
    pub(crate) fn opened(folder: Folder, account: Account, endpoint: String) -> Self {
        Self::holding(account, folder.path, endpoint, Some(folder.lock))
    }

    fn holding(account: Account, data: PathBuf, endpoint: String, lock: Option<File>) -> Self {
        let account = Account { endpoint: endpoint.clone(), ..account };
        Self(Arc::new(Shared {
            held: Mutex::new(Held::new(account)),
            store: dynamodb::Store::of(&data),
            data,
            endpoint,
            shift: AtomicI64::new(0),
            runtime: Runtime::default(),
            gateway: Gateway::default(),
            challenges: cognito::Challenges::default(),
            pages: cognito::Pages::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            lock,
        }))
    }

    /// Looks at the account.
    pub fn read<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.held().account)
    }

    /// Changes the account, and saves it before it returns. When `change` fails, or the state cannot be saved, the
    /// account is as it was before.
    ///
    /// # Errors
    /// Whatever `change` refuses, or [`Unsaved`].
    pub fn write<T, E: From<Unsaved>>(&self, change: impl FnOnce(&mut Account) -> Result<T, E>) -> Result<T, E> {
        let mut held = self.held();
        let outcome = change(&mut held.account).and_then(|value| {
            self.save(&mut held)?;
            Ok(value)
        });
        if outcome.is_err() {
            held.restore();
        }
        outcome
    }

    /// Leads every address that was told while the cloud answered on another port to the one on which it answers now.
    ///
    /// # Errors
    /// [`Unsaved`].
    pub(crate) fn move_to(&self, port: u16) -> Result<(), Unsaved> {
        self.write(|account| {
            if let Some(before) = account.port.filter(|before| *before != port) {
                tracing::warn!(
                    before,
                    port,
                    "the port has changed, and the addresses in outputs and properties with it"
                );
                account.follow(before, port).map_err(|error| Unsaved(error.to_string()))?;
            }
            account.port = Some(port);
            Ok(())
        })
    }

    /// Whether the folder is still the one that this cloud has locked: it may have been removed, or made anew.
    pub(crate) fn holds_its_folder(&self) -> bool {
        let Some(Ok(held)) = self.0.lock.as_ref().map(File::metadata) else { return true };
        match std::fs::metadata(self.0.data.join(LOCK)) {
            Ok(there) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// The cloud's clock.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::seconds(self.0.shift.load(Ordering::Relaxed))
    }

    /// Moves the clock by this much, for tests of what expires.
    pub fn shift_clock(&self, by: Duration) {
        self.0.shift.fetch_add(by.whole_seconds(), Ordering::Relaxed);
    }

    /// Folder of the state.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.0.data
    }

    /// The cloud's base URL, such as `http://127.0.0.1:4599`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// The function processes.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// What the data plane keeps in memory.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// What users are asked while they sign in.
    pub(crate) fn challenges(&self) -> &cognito::Challenges {
        &self.0.challenges
    }

    /// What the sign-in pages hand out for a few minutes.
    pub(crate) fn pages(&self) -> &cognito::Pages {
        &self.0.pages
    }

    /// The database that holds the items of tables.
    pub(crate) fn store(&self) -> &dynamodb::Store {
        &self.0.store
    }

    /// Tasks that run beside requests, such as stack operations. They end when [`Cloud::stopping`] is cancelled.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Cancelled when the cloud shuts down.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Locks the account. A panic under the lock has left half a change: it is undone first.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(|poisoned| {
            let mut held = poisoned.into_inner();
            held.restore();
            self.0.held.clear_poison();
            held
        })
    }

    fn save(&self, held: &mut Held) -> Result<(), Unsaved> {
        let bytes = serde_json::to_vec(&held.account).map_err(|error| Unsaved(error.to_string()))?;
        if bytes != held.saved {
            if !self.holds_its_folder() {
                return Err(Unsaved(format!("`{}` is no longer the folder of this cloud", self.0.data.display())));
            }
            let unsaved = |error| Unsaved(format!("`{}`: {error}", self.0.data.join(STATE).display()));
            write_state(&self.0.data, &bytes).map_err(unsaved)?;
            held.saved = bytes;
        }
        Ok(())
    }
}

/// The layout of the state file; a newer one is refused.
const VERSION: u32 = 1;

const STATE: &str = "account.json";

const LOCK: &str = "lock";

/// Region of an account for which none was named.
const REGION: &str = "us-east-1";

/// How long somebody who looks whether a cloud runs may hold the lock.
const GLANCE: StdDuration = StdDuration::from_millis(500);

/// Whether the lock could be taken; nothing while another holds it.
fn taken(lock: &File) -> Option<io::Result<()>> {
    match lock.try_lock() {
        Ok(()) => Some(Ok(())),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(source)) => Some(Err(source)),
    }
}

/// The folder of a cloud's state, locked against every other process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Makes the folder if need be, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::Folder { path: path.to_owned(), source };
        private_folder(path).map_err(unusable)?;
        let lock = private_file(&path.join(LOCK)).map_err(unusable)?;
        match until(GLANCE, || taken(&lock)) {
            Some(Ok(())) => Ok(Self { path: path.to_owned(), lock }),
            Some(Err(source)) => Err(unusable(source)),
            None => Err(Error::InUse { path: path.to_owned() }),
        }
    }

    /// The account that was saved here, or a new one; in that region, where one is asked for.
    pub(crate) fn account(&self, region: Option<&str>) -> Result<Account, Error> {
        let path = self.path.join(STATE);
        let account = match std::fs::read(&path) {
            Ok(bytes) => read_state(&path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create_account(region.unwrap_or(REGION))?,
            Err(source) => return Err(Error::Folder { path, source }),
        };
        match region {
            Some(asked) if account.region != asked => {
                Err(Error::OtherRegion { held: account.region, asked: asked.to_owned() })
            }
            _ => Ok(account),
        }
    }

    fn create_account(&self, region: &str) -> Result<Account, Error> {
        let account = Account::new(region);
        let bytes =
            serde_json::to_vec(&account).map_err(|source| Error::Unreadable { path: self.path.clone(), source })?;
        write_state(&self.path, &bytes).map_err(|source| Error::Folder { path: self.path.clone(), source })?;
        Ok(account)
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Deserialize)]
struct Stored {
    account: Account,
}

fn read_state(path: &Path, bytes: &[u8]) -> Result<Account, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let Versioned { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if version > VERSION {
        return Err(Error::Newer { path: path.to_owned(), version });
    }
    let mut reader = deep_reader(bytes);
    let stored = Stored::deserialize(&mut reader).map_err(unreadable)?;
    reader.end().map_err(unreadable)?;
    Ok(stored.account)
}

/// The region of the account that a folder holds, if there is one that can be read.
pub(super) fn held_region(folder: &Path) -> Option<String> {
    let path = folder.join(STATE);
    read_state(&path, &std::fs::read(&path).ok()?).ok().map(|account| account.region)
}

fn read_account(bytes: &[u8]) -> Result<Account, serde_json::Error> {
    Account::deserialize(&mut deep_reader(bytes))
}

/// A reader without a limit of depth: a document that was let in at the limit lies a few levels deeper in the state.
fn deep_reader(bytes: &[u8]) -> serde_json::Deserializer<serde_json::de::SliceRead<'_>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    reader.disable_recursion_limit();
    reader
}

/// Replaces the state file in one step. The kernel keeps what was written when the process is killed, so there is no
/// `fsync`: it would cost milliseconds a change, for power failures only.
fn write_state(folder: &Path, account: &[u8]) -> io::Result<()> {
    let fresh = folder.join("account.json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    let mut state = format!("{{\"version\":{VERSION},\"account\":").into_bytes();
    state.extend_from_slice(account);
    state.push(b'}');
    file.write_all(&state)?;
    drop(file);
    std::fs::rename(&fresh, folder.join(STATE))
}

/// Makes a folder that only its owner can look into.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file that only its owner can read, making it if need be, without changing what it holds.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Fault;

    fn opened(path: &Path) -> Result<Cloud, Error> {
        let folder = Folder::open(path)?;
        let account = folder.account(None)?;
        Ok(Cloud::opened(folder, account, "http://127.0.0.1:1".to_owned()))
    }

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder can be made")
    }

    fn rename(cloud: &Cloud, id: &str) {
        cloud
            .write(|account| {
                account.id = id.to_owned();
                Ok::<_, Fault>(())
            })
            .expect("the state can be saved");
    }

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let folder = temporary();
        rename(&opened(folder.path()).expect("it opens"), "1");
        assert_eq!(opened(folder.path()).expect("it opens").read(|account| account.id.clone()), "1");
    }

    #[test]
    fn an_address_follows_the_port_and_no_other_does() {
        let text = readdressed("http://localhost:45/a localhost:456 localhost:45", "localhost:45", "localhost:7");
        assert_eq!(text, "http://localhost:7/a localhost:456 localhost:7");
        assert_eq!(readdressed("", "a", "b"), "");
    }

    #[test]
    fn a_cloud_notices_that_its_folder_is_another() {
        let folder = temporary();
        let cloud = opened(folder.path()).expect("it opens");
        assert!(cloud.holds_its_folder());
        std::fs::remove_file(folder.path().join(LOCK)).expect("it is there");
        assert!(!cloud.holds_its_folder());
        std::fs::write(folder.path().join(LOCK), "").expect("it can be written");
        assert!(!cloud.holds_its_folder());
        let state = folder.path().join(STATE);
        std::fs::write(&state, "another's").expect("it can be written");
        let outcome: Result<(), Fault> = cloud.write(|account| {
            account.id = "unsaved".to_owned();
            Ok(())
        });
        assert_eq!(outcome.expect_err("it is not its folder").status, 500);
        assert_eq!(std::fs::read_to_string(state).expect("it is there"), "another's");
    }

    #[test]
    fn a_change_that_fails_leaves_nothing_behind() {
        let folder = temporary();
        let cloud = opened(folder.path()).expect("it opens");
        let outcome: Result<(), Fault> = cloud.write(|account| {
            account.id = "half".to_owned();
            Err(Fault::new("No", "no"))
        });
        assert_eq!(outcome.expect_err("it fails").code, "No");
        assert_eq!(cloud.read(|account| account.id.clone()), ACCOUNT_ID);
    }

    #[test]
    fn a_change_that_panics_leaves_nothing_behind() {
        let folder = temporary();
        let cloud = opened(folder.path()).expect("it opens");
        let other = cloud.clone();
        let panicked = std::thread::spawn(move || {
            other.write::<(), Fault>(|account| {
                account.id = "half".to_owned();
                std::panic::panic_any("on purpose")
            })
        });
        assert!(panicked.join().is_err());
        assert_eq!(cloud.read(|account| account.id.clone()), ACCOUNT_ID);
    }

    #[test]
    fn a_change_that_cannot_be_saved_did_not_happen() {
        let folder = temporary();
        let cloud = opened(folder.path()).expect("it opens");
        // A folder in the place of the fresh file makes every save fail, even for root.
        std::fs::create_dir(folder.path().join("account.json.new")).expect("it can be made");
        let outcome = cloud.write(|account| {
            account.id = "unsaved".to_owned();
            Ok::<_, Fault>(())
        });
        assert_eq!(outcome.expect_err("it cannot be saved").status, 500);
        assert_eq!(cloud.read(|account| account.id.clone()), ACCOUNT_ID);
    }

    #[test]
    fn two_clouds_never_share_a_folder() {
        let folder = temporary();
        let first = opened(folder.path()).expect("it opens");
        assert!(matches!(opened(folder.path()), Err(Error::InUse { .. })));
        drop(first);
        opened(folder.path()).expect("it opens again");
    }

    #[test]
    fn state_that_cannot_be_read_is_kept_and_told() {
        let folder = temporary();
        let path = folder.path().join(STATE);
        for (text, newer) in [("", false), ("{}", false), ("{\"version\":1,", false), ("{\"version\":9}", true)] {
            std::fs::write(&path, text).expect("it can be written");
            let error = opened(folder.path()).expect_err("it is refused");
            assert_eq!(matches!(error, Error::Newer { .. }), newer, "{text}: {error}");
            assert_eq!(std::fs::read_to_string(&path).expect("it is still there"), text);
        }
    }

    #[test]
    fn who_looks_whether_a_cloud_runs_does_not_stand_in_the_way_of_one() {
        let folder = temporary();
        opened(folder.path()).expect("it opens");
        let looks = std::sync::atomic::AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while looks.load(Ordering::Relaxed) {
                    crate::access::is_free(folder.path());
                }
            });
            let opened = (0..200).filter(|_| opened(folder.path()).is_ok()).count();
            looks.store(false, Ordering::Relaxed);
            assert_eq!(opened, 200);
        });
    }

    #[test]
    fn the_state_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = temporary();
        rename(&opened(folder.path()).expect("it opens"), "1");
        let mode = std::fs::metadata(folder.path().join(STATE)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
