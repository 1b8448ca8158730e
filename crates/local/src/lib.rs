//! The embedded cloud: an AWS account on the loopback interface, in this process.
//!
//! It speaks the wire protocols of the services that a stack needs, provisions by interpreting the template that
//! AWS would get, and runs the deployed functions as child processes.

pub mod access;
pub mod apigateway;
pub mod apigatewayv2;
pub mod cloud;
pub mod cloudformation;
pub mod cognito;
pub mod dynamodb;
pub mod ecr;
pub mod gateway;
pub mod hidden;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod mail;
mod part;
mod process;
pub mod runtime;
pub mod s3;
pub mod secretsmanager;
mod server;
pub mod ses;
pub(crate) mod signature;
pub mod ssm;
pub mod sts;
pub mod wire;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;
use tokio::net::TcpListener;

use cloud::{Cloud, Folder};
use iam::AccessKey;

pub use access::{Running, ensure};

/// Why the embedded cloud could not start.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Another process holds the folder.
    #[error("another local cloud runs on `{}`", path.display())]
    #[diagnostic(help("use that one, or stop it with `stackgen local stop`"))]
    InUse { path: PathBuf },

    /// The state is damaged, or not ours.
    #[error("the state of the local cloud in `{}` cannot be read", path.display())]
    #[diagnostic(help("it is left as it is; `stackgen local reset` starts with an empty cloud"))]
    Unreadable { path: PathBuf, source: serde_json::Error },

    /// A later stackgen wrote the state.
    #[error("the state of the local cloud in `{}` has version {version}, newer than this stackgen knows", path.display())]
    #[diagnostic(help("use the newer stackgen, or start with an empty cloud: `stackgen local reset`"))]
    Newer { path: PathBuf, version: u32 },

    /// The account was made for another region.
    #[error("the local cloud holds region `{held}`, not `{asked}`")]
    #[diagnostic(help("leave out `--region`, or start with an empty cloud: `stackgen local reset`"))]
    OtherRegion { held: String, asked: String },

    /// The data folder cannot be used.
    #[error("`{}` cannot be used", path.display())]
    #[diagnostic(help("the local cloud keeps its state there; make it writable"))]
    Folder { path: PathBuf, source: io::Error },

    /// No port could be had.
    #[error("no port can be opened on 127.0.0.1")]
    #[diagnostic(help("is there another server on port {port}? leave out `--port` for a free one"))]
    Port { port: u16, source: io::Error },
}

/// Where a cloud keeps its state and how it is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the state; made when it is missing.
    pub data: PathBuf,
    /// The one region of the account; without one, that of the saved account, or `us-east-1`.
    pub region: Option<String>,
    /// Port on the loopback interface; without one, that of the last time if it is free, else any.
    pub port: Option<u16>,
}

impl Options {
    /// The cloud in this folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), region: None, port: None }
    }
}

/// A cloud that holds its port and its folder, ready to serve.
#[derive(Debug)]
pub struct LocalCloud {
    listener: TcpListener,
    cloud: Cloud,
}

/// Opens the state and the port.
///
/// # Errors
/// When another cloud runs there, the state cannot be read, or no port can be had.
pub async fn bind(options: Options) -> Result<LocalCloud, Error> {
    let folder = Folder::open(&options.data)?;
    let account = folder.account(options.region.as_deref())?;
    let (listener, address) = listen(&options, account.port).await?;
    let cloud = Cloud::opened(folder, account, format!("http://{address}"));
    let unusable = |source| Error::Folder { path: options.data, source };
    cloud
        .move_to(address.port())
        .map_err(io::Error::other)
        .and_then(|()| access::leave_note(&cloud))
        .map_err(unusable)?;
    lambda::sweep(&cloud);
    s3::sweep(&cloud);
    logs::sweep(&cloud);
    dynamodb::sweep(&cloud);
    cloudformation::resume(&cloud);
    Ok(LocalCloud { listener, cloud })
}

/// The port that was asked for, else the one that the project had before, else any.
async fn listen(options: &Options, remembered: Option<u16>) -> Result<(TcpListener, SocketAddr), Error> {
    let listener = match (options.port, remembered) {
        (Some(port), _) => open_port(port).await,
        (None, Some(port)) => match open_port(port).await {
            Err(_) => open_port(0).await,
            opened => opened,
        },
        (None, None) => open_port(0).await,
    };
    let port = options.port.unwrap_or_default();
    listener
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)))
        .map_err(|source| Error::Port { port, source })
}

async fn open_port(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

impl LocalCloud {
    /// The handle on the cloud, which outlives serving.
    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The base URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.cloud.endpoint()
    }

    /// The account's own key, which may do everything.
    #[must_use]
    pub fn root_key(&self) -> AccessKey {
        self.cloud.read(|account| account.iam.root.clone())
    }

    /// Serves until `shutdown` resolves or the cloud is told to stop, then waits for what is still under way.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        self.cloud.tasks().spawn(access::keep_reachable(self.cloud.clone()));
        server::serve(self.listener, self.cloud.clone(), shutdown).await;
        access::remove_note(&self.cloud);
    }
}
