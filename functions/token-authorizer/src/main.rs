//! Serves the function to Lambda.

use authorizer::Event;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use token_authorizer::Authorizer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let authorizer = &Authorizer::from_environment().await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| authorizer.answer(&event.payload).await)).await
}
