//! Serves the function that reads a note.

use lambda_http::{Error, Request, service_fn};
use notes::Notes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let notes = &Notes::from_environment().await?;
    lambda_http::run(service_fn(async |request: Request| notes.get(&request).await)).await
}
