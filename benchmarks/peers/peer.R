# A landscape as an R user would write it: a loop over the cells, vectorised over the points.
# In and out go raw doubles in files of a folder; out come the seconds of each repeat, then the
# metrics, a row of the grid after the other.

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
repeats <- as.integer(arguments[2])

column <- function(name) {
  path <- file.path(folder, name)
  readBin(path, "double", file.size(path) / 8)
}

landscape <- function(x, y, a, b) {
  sign <- 2 * y - 1
  positive <- y > 0
  loss <- accuracy <- matrix(0, length(b), length(a))
  for (i in seq_along(a)) {
    ax <- a[i] * x
    for (j in seq_along(b)) {
      z <- ax + b[j]
      loss[j, i] <- -mean(plogis(sign * z, log.p = TRUE))
      accuracy[j, i] <- mean((z > 0) == positive)
    }
  }
  c(loss, accuracy)
}

x <- column("x")
y <- column("y")
a <- column("a")
b <- column("b")
seconds <- numeric(repeats)
for (k in seq_len(repeats)) {
  start <- Sys.time() # finer than system.time(), which counts in milliseconds
  values <- landscape(x, y, a, b)
  seconds[k] <- as.numeric(difftime(Sys.time(), start, units = "secs"))
}
writeBin(c(seconds, values), file.path(folder, "values"))
