//! What synthesis costs: checks, template and text, for the stack of the README and for stacks of very many routes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stackgen::model::Stack;
use stackgen::model::apigatewayv2::{HttpApi, JwtAuthorizer, Route};
use stackgen::model::cognito::{UserPool, UserPoolClient};
use stackgen::model::lambda::Function;
use stackgen::synth::synthesize;

#[path = "../stacks/protected_api.rs"]
#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
mod protected_api;

/// Routes of one API, which with all that belongs to it stay within the 500 resources of a template.
const ROUTES: usize = 200;

/// A stack with one API of many protected routes.
fn routes(stack_number: usize, count: usize) -> Stack {
    let mut stack = Stack::default();
    let users = stack.add("Users", UserPool::default());
    let web = stack.add("Web", UserPoolClient::new(&users));
    let function = stack.add("Function", Function::from_crate("functions/protected"));
    let api = HttpApi::default().authorizer("Members", JwtAuthorizer::pool(&users, [&web]));
    let routed = (0..count).fold(api, |api, route| {
        api.route(format!("GET /s{stack_number}/r{route}/{{id}}"), Route::new(&function).authorizer("Members"))
    });
    stack.add("Api", routed);
    stack
}

fn synthesized(stack: &Stack) -> String {
    synthesize("bench", stack).expect("the stack is sound").to_json()
}

fn protected(criterion: &mut Criterion) {
    let stack = protected_api::stack();
    criterion.bench_function("synth/protected-api", |bench| bench.iter(|| synthesized(black_box(&stack))));
    let text = include_bytes!("../stacks/protected-api.yaml");
    criterion.bench_function("read/protected-api", |bench| {
        bench.iter(|| stackgen::spec::read("protected-api.yaml", black_box(text)).expect("the stack is sound"));
    });
}

fn many_routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("synth/routes");
    group.sample_size(10);
    for total in [1_000, 2_000, 5_000, 10_000] {
        let stacks: Vec<Stack> = (0..total / ROUTES).map(|number| routes(number, ROUTES)).collect();
        group.throughput(Throughput::Elements(total as u64));
        group.bench_with_input(BenchmarkId::from_parameter(total), &stacks, |bench, stacks| {
            bench.iter(|| stacks.iter().map(|stack| synthesized(stack).len()).sum::<usize>());
        });
    }
    group.finish();
}

criterion_group!(benches, protected, many_routes);
criterion_main!(benches);
