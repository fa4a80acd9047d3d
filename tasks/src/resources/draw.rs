//! Hours, and the ranges that older rules draw them from.

use super::ResourceError;

/// How long a training lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hours {
    /// So long.
    Fixed(f64),
    /// One of the whole numbers of hours in a range, each as likely.
    Drawn {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
}

impl Hours {
    /// How many values there are to draw from.
    pub fn choices(&self) -> u32 {
        match self {
            Self::Fixed(_) => 1,
            Self::Drawn { min, max } => max - min + 1,
        }
    }

    /// The hours of one draw, 0 to [`choices`](Self::choices) − 1.
    ///
    /// # Errors
    /// `Draw` beyond them.
    pub fn pick(&self, draw: u32) -> Result<f64, ResourceError> {
        let choices = self.choices();
        if draw >= choices {
            return Err(ResourceError::Draw { draw, choices });
        }
        Ok(match self {
            Self::Fixed(hours) => *hours,
            Self::Drawn { min, .. } => f64::from(min + draw),
        })
    }
}
