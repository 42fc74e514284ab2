"""How good the mapping of unknown labels is: whole families of vendors left out, answered, judged and told with intervals."""
