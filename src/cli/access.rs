//! `stackgen access`: who may call what.

use std::collections::BTreeMap;

use clap::Args;
use handlebars::Handlebars;
use miette::Diagnostic;
use serde_json::{Value, json};
use stackgen::access::matrix::Matrix;
use stackgen::access::page::{self, Page, Section};
use stackgen::deploy::gate;
use stackgen::deploy::stack::{self, Stack};
use stackgen::project::Project;
use thiserror::Error;

use super::deploy::pair;
use super::output::{Format, bold, dim, red};
use super::plan;
use super::{Outcome, Session, Step, Table, Target, block_on};

/// Arguments of `stackgen access`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; all of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// What is deployed instead of what the stack files say: the deployed template, with its parameters.
    #[arg(long)]
    deployed: bool,
    /// Value of a template's parameter; one that is not given has its default, or stays an expression.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "deployed")]
    parameters: Vec<(String, String)>,
    #[command(flatten)]
    target: Target,
}

/// Why the access to a stack cannot be told.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum Error {
    /// It is not deployed.
    #[error("stack `{stack}` is not deployed")]
    #[diagnostic(code(stackgen::access::not_deployed), help("deploy it with `stackgen deploy {stack}{flags}`"))]
    NotDeployed { stack: String, flags: String },
    /// Its template is neither JSON nor YAML.
    #[error("the deployed template of stack `{stack}` cannot be read")]
    #[diagnostic(
        code(stackgen::access::unreadable),
        help("see `aws cloudformation get-template --stack-name {stack}`; deploy it again from a stack file")
    )]
    Unreadable { stack: String },
}

impl Arguments {
    /// Tells who may call what.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = session.stacks(&project, &self.stacks)?;
        let matrices = if self.deployed {
            block_on(self.read_deployed(session, &project, &names))?
        } else {
            let parameters = self.parameters.iter().cloned().collect();
            let planned = plan::synthesize(plan::read(session, &project, &names)?)?;
            let read = |one: &plan::Planned| (one.file.name.clone(), Matrix::of_template(&one.template, &parameters));
            planned.iter().map(read).collect::<BTreeMap<_, _>>()
        };
        let document: BTreeMap<&String, &Matrix> = matrices.iter().collect();
        let pages: Vec<Page> = matrices.iter().map(|(name, matrix)| Page::of(name, matrix)).collect();
        session.screen.answer(&document, || match session.screen.format() {
            Format::Markdown => pages.iter().map(Page::markdown).collect::<Vec<_>>().join("\n"),
            Format::Html => html(&pages),
            Format::Text | Format::Json => pages.iter().map(told).collect::<Vec<_>>().join("\n"),
        });
        Ok(())
    }

    async fn read_deployed(
        &self,
        session: &Session,
        project: &Project,
        names: &[String],
    ) -> Outcome<BTreeMap<String, Matrix>> {
        let step = Step { during: "AWS was asked", stands: "nothing was changed" };
        let work = async {
            let mut matrices = BTreeMap::new();
            for name in names {
                let target = self.target.clone().or_last(project, name);
                let account = target.connect(session, project).await?;
                let Some(stack) = stack::describe(&account, name).await?.filter(Stack::has_resources) else {
                    return Err(Error::NotDeployed { stack: name.clone(), flags: target.flags() }.into());
                };
                let Some(matrix) = gate::deployed(&account, &stack).await? else {
                    return Err(Error::Unreadable { stack: name.clone() }.into());
                };
                matrices.insert(name.clone(), matrix);
            }
            Ok(matrices)
        };
        session.interrupts().step(step, work).await
    }
}

/// A page for the terminal.
fn told(page: &Page) -> String {
    let mut text = format!("{}\n", bold(format_args!("Access to {}", page.stack)));
    for api in &page.apis {
        text.push_str(&section(api, page::ROUTE_HEADINGS, |row| page::is_open(&row[1])));
    }
    if !page.functions.rows.is_empty() {
        text.push_str(&section(&page.functions, page::FUNCTION_HEADINGS, |row| page::is_open(&row[3])));
    }
    for pool in &page.pools {
        text.push_str(&section(pool, [], |_| false));
    }
    for part in &page.unseen {
        text.push_str(&format!("\n{} {part}\n", red("not seen:")));
    }
    text
}

fn section<const N: usize>(
    section: &Section<N>,
    headings: [&str; N],
    is_open: impl Fn(&[String; N]) -> bool,
) -> String {
    let mut text = format!("\n{}\n", bold(&section.title));
    for (name, value) in &section.facts {
        text.push_str(&format!("  {} {value}\n", dim(format_args!("{name}:"))));
    }
    let mut table = Table::new(headings);
    for row in &section.rows {
        table.row(if is_open(row) {
            row.clone().map(|cell| if cell.is_empty() { cell } else { red(cell) })
        } else {
            row.clone()
        });
    }
    if !table.is_empty() {
        text.push_str(&table.without_empty_columns().to_string());
    }
    text
}

/// All pages as one document, which needs nothing else and runs no script.
fn html(pages: &[Page]) -> String {
    const TEMPLATE: &str = include_str!("../../templates/access/page.hbs");
    let pages: Vec<Value> = pages.iter().map(page_data).collect();
    Handlebars::new().render_template(TEMPLATE, &json!({ "pages": pages })).expect("a test renders the template")
}

fn page_data(page: &Page) -> Value {
    let open = |row: &[String], at: usize| row.get(at).is_some_and(|cell| page::is_open(cell));
    let mut sections = Vec::new();
    for api in &page.apis {
        sections.push(section_data(api, &page::ROUTE_HEADINGS, |row| open(row, 1)));
    }
    if !page.functions.rows.is_empty() {
        sections.push(section_data(&page.functions, &page::FUNCTION_HEADINGS, |row| open(row, 3)));
    }
    sections.extend(page.pools.iter().map(|pool| section_data(pool, &[], |_| false)));
    json!({ "stack": page.stack, "sections": sections, "unseen": page.unseen })
}

fn section_data<const N: usize>(section: &Section<N>, headings: &[&str], is_open: impl Fn(&[String]) -> bool) -> Value {
    let rows = section.rows.iter().map(|row| json!({ "cells": row.as_slice(), "open": is_open(row) }));
    json!({
        "title": section.title,
        "facts": section.facts,
        "headings": headings,
        "rows": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use stackgen::access::matrix::Matrix;
    use stackgen::access::page::Page;

    use super::html;

    #[test]
    fn html_escapes_what_templates_say() {
        let template = json!({ "Resources": {
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Route": { "Type": "AWS::ApiGatewayV2::Route", "Properties": { "ApiId": { "Ref": "Api" },
                "RouteKey": "GET /<script>alert(1)</script>" } },
        } });
        let text = html(&[Page::of("a", &Matrix::of(&template, &BTreeMap::new()))]);
        assert!(text.contains("GET /&lt;script&gt;") && !text.contains("<script"), "{text}");
        assert!(text.contains("<tr class=\"open\">"), "what is public is marked");
    }

    #[test]
    fn an_address_that_may_be_open_is_marked() {
        for (kind, is_marked) in [("NONE", true), ("AWS_IAM", false), ("OAUTH", true)] {
            let template = json!({ "Resources": {
                "F": { "Type": "AWS::Lambda::Function" },
                "Url": { "Type": "AWS::Lambda::Url",
                    "Properties": { "TargetFunctionArn": { "Ref": "F" }, "AuthType": kind } },
            } });
            let page = Page::of("a", &Matrix::of(&template, &BTreeMap::new()));
            assert_eq!(html(std::slice::from_ref(&page)).contains("class=\"open\""), is_marked, "{kind}");
        }
    }
}
