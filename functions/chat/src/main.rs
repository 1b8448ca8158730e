//! Serves the function to Lambda.

use chat::{Chat, Event};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let chat = &Chat::from_environment().await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| chat.answer(event.payload).await)).await
}
