namespace Opt.Testing;

/// <summary>Compares rendered text with a checked-in file under <c>tests/golden</c>; <c>UPDATE_GOLDEN=1</c> rewrites it.</summary>
public static class Golden
{
    /// <summary>Throws when the text differs, naming the first line that does.</summary>
    /// <exception cref="FileNotFoundException">There is no such golden file yet.</exception>
    public static void Matches(string name, string actual)
    {
        var path = Repo.PathOf("tests", "golden", name);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }

        if (!File.Exists(path)) throw new FileNotFoundException($"No golden file {path}. Run `make golden`, then read the diff before committing it.");
        var expected = File.ReadAllText(path).ReplaceLineEndings("\n");
        if (expected == actual.ReplaceLineEndings("\n")) return;
        throw new InvalidOperationException($"{name} differs from the golden file at {FirstDifference(expected, actual)}. Run `make golden` if the change is meant.");
    }

    private static string FirstDifference(string expected, string actual)
    {
        var want = expected.Split('\n');
        var got = actual.ReplaceLineEndings("\n").Split('\n');
        for (var line = 0; line < Math.Max(want.Length, got.Length); line++)
        {
            var w = line < want.Length ? want[line] : "<end>";
            var g = line < got.Length ? got[line] : "<end>";
            if (w != g) return $"line {line + 1}:\n  golden: {w}\n  actual: {g}";
        }

        return "the end";
    }
}
