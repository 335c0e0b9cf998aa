namespace Opt.Testing;

/// <summary>Paths inside the repository, found from the test's own location.</summary>
public static class Repo
{
    private static readonly string Root = FindRoot();

    /// <summary>The absolute path of a file or folder below the repository root.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "OptOperator.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No OptOperator.sln above {AppContext.BaseDirectory}.");
    }
}
