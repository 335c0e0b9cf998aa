namespace Opt.Trainer.Stores;

/// <summary>Rules for object names, the same for every kind of store.</summary>
internal static class StoreNames
{
    public const int MaxLength = 512;

    /// <summary>Tells the caller's mistake from errors of libraries.</summary>
    public const string Parameter = "name";

    /// <exception cref="ArgumentException">Not a relative name of [A-Za-z0-9._-] segments.</exception>
    public static string Checked(string name)
    {
        var segments = name.Split('/');
        if (name.Length is 0 or > MaxLength || segments.Any(s => s is "" or "." or ".." || s.StartsWith('.') || !s.All(IsAllowed)))
        {
            throw new ArgumentException($"\"{name}\" is not an object name: 1 to {MaxLength} of [A-Za-z0-9._-] in segments divided by '/', none of which begins with '.'", Parameter);
        }

        return name;
    }

    private static bool IsAllowed(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';
}
