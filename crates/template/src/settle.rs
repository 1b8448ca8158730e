//! Takes decisions out of a template that are made before it is deployed.

use serde_json::Value;

use crate::Template;

impl Template {
    /// Gives a parameter its value for good: wherever the template refers to it, the value stands instead.
    pub fn settle(&mut self, parameter: &str, value: &str) {
        self.parameters.remove(parameter);
        let placeholder = format!("${{{parameter}}}");
        self.rewrite(&|node| {
            if node.get("Ref").is_some_and(|name| name == parameter) {
                *node = Value::from(value);
            }
            if let Some(text) = node.get_mut("Fn::Sub") {
                fill(text, &placeholder, value);
            }
        });
    }

    /// Takes a condition to hold: what depends on it is there, and `Fn::If` becomes its first value.
    pub fn assume(&mut self, condition: &str) {
        self.conditions.remove(condition);
        let forget = |own: &mut Option<String>| *own = own.take().filter(|name| name != condition);
        self.resources.values_mut().for_each(|resource| forget(&mut resource.condition));
        self.outputs.values_mut().for_each(|output| forget(&mut output.condition));
        self.rewrite(&|node| {
            let choice = node.get_mut("Fn::If").and_then(Value::as_array_mut);
            if let Some([name, then, _]) = choice.map(Vec::as_mut_slice)
                && name == condition
            {
                *node = then.take();
            }
        });
    }

    /// Changes every value of the template, inner ones first.
    fn rewrite(&mut self, change: &impl Fn(&mut Value)) {
        self.conditions.values_mut().for_each(|value| rewrite(value, change));
        for resource in self.resources.values_mut() {
            resource.properties.values_mut().for_each(|value| rewrite(value, change));
            resource.metadata.values_mut().for_each(|value| rewrite(value, change));
        }
        for output in self.outputs.values_mut() {
            rewrite(&mut output.value, change);
            output.export.iter_mut().for_each(|export| rewrite(&mut export.name, change));
        }
    }
}

/// Replaces a name in the text of `Fn::Sub`, which stands alone or before values of its own.
fn fill(text: &mut Value, placeholder: &str, value: &str) {
    match text {
        Value::String(text) => *text = text.replace(placeholder, value),
        Value::Array(parts) => parts.iter_mut().take(1).for_each(|text| fill(text, placeholder, value)),
        _ => {}
    }
}

fn rewrite(value: &mut Value, change: &impl Fn(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, change)),
        Value::Object(members) => members.values_mut().for_each(|member| rewrite(member, change)),
        _ => return,
    }
    change(value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Output, Parameter, Resource, function};

    fn template() -> Template {
        let bucket = function::if_("UsesCdkBucket", function::sub("cdk-${AWS::Region}"), function::reference("Bucket"));
        let code = json!({ "S3Bucket": bucket, "S3Key": function::reference("Key") });
        let mut template = Template::default();
        template.parameters.insert("Bucket".into(), Parameter::new("String").default(""));
        template.parameters.insert("Key".into(), Parameter::new("String"));
        template.conditions.insert("UsesCdkBucket".into(), function::equals(function::reference("Bucket"), ""));
        let hello = Resource::new("AWS::Lambda::Function").condition("UsesCdkBucket").property("Code", code);
        template.resources.insert("Hello".into(), hello);
        template.outputs.insert("Key".into(), Output::new(function::sub("${Key} ${!Key} ${Hello}")));
        template
    }

    #[test]
    fn a_settled_parameter_is_its_value() {
        let mut template = template();
        template.settle("Key", "abc.zip");
        assert!(!template.parameters.contains_key("Key"));
        assert_eq!(template.resources["Hello"].properties["Code"]["S3Key"], "abc.zip");
        assert_eq!(template.outputs["Key"].value, function::sub("abc.zip ${!Key} ${Hello}"));
    }

    #[test]
    fn an_assumed_condition_leaves_one_of_two_values() {
        let mut template = template();
        template.assume("UsesCdkBucket");
        assert!(template.conditions.is_empty());
        assert_eq!(template.resources["Hello"].condition, None);
        assert_eq!(template.resources["Hello"].properties["Code"]["S3Bucket"], function::sub("cdk-${AWS::Region}"));
    }
}
