//! Serves the function to Lambda.

use lambda_http::{Error, Request, service_fn};
use send_email::Post;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let post = &Post::from_environment().await?;
    lambda_http::run(service_fn(async |request: Request| post.send(&request).await)).await
}
