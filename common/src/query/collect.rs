//! What a query collects in each group.

use crate::field::FieldName;

/// How the values of a field are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollectMethod {
    /// Their sum.
    Sum,
    /// How many there are.
    Count,
    /// Their mean.
    Mean,
    /// The distinct ones, sorted.
    Set,
}

impl CollectMethod {
    /// All methods.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Count, Self::Mean, Self::Set];

    /// The word that a query uses for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Mean => "mean",
            Self::Set => "set",
        }
    }

    /// The method with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// A field to collect, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collect {
    /// The field.
    pub field: FieldName,
    /// The method; without one it is a set, which also stands under the field's bare name.
    pub method: Option<CollectMethod>,
}

impl Collect {
    /// The method that is used.
    pub fn effective_method(&self) -> CollectMethod {
        self.method.unwrap_or(CollectMethod::Set)
    }

    /// The column `field:method` of an answer.
    pub fn column(&self) -> String {
        format!("{}:{}", self.field, self.effective_method().name())
    }

    /// The column under the field's bare name, which only the default method gives.
    pub fn bare_column(&self) -> Option<&str> {
        self.method.is_none().then(|| self.field.as_str())
    }
}
