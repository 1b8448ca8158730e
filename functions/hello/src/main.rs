//! Serves the function to Lambda.

use lambda_http::{Error, Request, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let origin = &hello::allowed_origin(std::env::var("ALLOWED_ORIGIN").ok())?;
    lambda_http::run(service_fn(async |request: Request| hello::handle(&request, origin.as_ref()))).await
}
