namespace Opt.Operator.Dashboard.Curves;

/// <summary>Min-max thinning of several columns over the same rows.</summary>
internal static class Extremes
{
    /// <summary>
    /// Rows of [first, last) in order, about <paramref name="points"/> of them: the ends, and of each stretch the rows where a column is smallest or
    /// largest. NaN counts for neither.
    /// </summary>
    public static IReadOnlyList<int> Of(IReadOnlyList<IReadOnlyList<double>> columns, int first, int last, int points)
    {
        var count = last - first;
        if (count <= 0) return [];
        if (count <= points) return [.. Enumerable.Range(first, count)];
        var stretches = Math.Max(1, points / (2 * columns.Count));
        var rows = new SortedSet<int> { first, last - 1 };
        for (var i = 0; i < stretches; i++)
        {
            var (from, to) = (first + (int)((long)count * i / stretches), first + (int)((long)count * (i + 1) / stretches));
            foreach (var column in columns) AddExtremes(rows, column, from, to);
        }

        return [.. rows];
    }

    private static void AddExtremes(SortedSet<int> rows, IReadOnlyList<double> column, int from, int to)
    {
        int low = -1, high = -1;
        for (var i = from; i < to; i++)
        {
            if (double.IsNaN(column[i])) continue;
            if (low < 0 || column[i] < column[low]) low = i;
            if (high < 0 || column[i] > column[high]) high = i;
        }

        if (low < 0) return;
        rows.Add(low);
        rows.Add(high);
    }
}
