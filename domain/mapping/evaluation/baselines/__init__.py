"""What any method has to beat: the commonest category, look-up by normalised form, the nearest label by spelling."""
