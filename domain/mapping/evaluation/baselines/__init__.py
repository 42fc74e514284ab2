"""What any method has to beat: look-up by normalised form, the commonest category, the nearest known label by spelling."""
