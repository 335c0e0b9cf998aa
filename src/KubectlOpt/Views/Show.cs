using System.Globalization;

namespace Opt.KubectlOpt.Views;

/// <summary>Numbers and times the way kubectl shows them; "-" for what is not known.</summary>
internal static class Show
{
    public const string Unknown = "-";

    public static string Whole(double? value) => value?.ToString("0", CultureInfo.InvariantCulture) ?? Unknown;

    public static string Loss(double? value) => value?.ToString("0.0000", CultureInfo.InvariantCulture) ?? Unknown;

    public static string Short(double? value) => value?.ToString("0.###e+0", CultureInfo.InvariantCulture) is { } text ? value is >= 0.01 and < 100_000 or 0 ? value.Value.ToString("0.####", CultureInfo.InvariantCulture) : text : Unknown;

    public static string Percent(double share) => (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + "%";

    public static string Bytes(double? value)
    {
        if (value is not > 0) return Unknown;
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var power = Math.Min((int)Math.Log(value.Value, 1024), units.Length - 1);
        return (value.Value / Math.Pow(1024, power)).ToString("0.#", CultureInfo.InvariantCulture) + units[power];
    }

    /// <summary>As kubectl's AGE: 45s, 3m10s, 47m, 5h12m, 23h, 3d4h, 30d.</summary>
    public static string Age(DateTimeOffset? since, DateTimeOffset now) => since is { } time ? Duration(now - time) : Unknown;

    public static string Duration(TimeSpan span)
    {
        if (span < TimeSpan.Zero) span = TimeSpan.Zero;
        FormattableString text = span switch
        {
            { TotalMinutes: < 2 } => $"{(int)span.TotalSeconds}s",
            { TotalMinutes: < 10 } => Two((int)span.TotalMinutes, "m", span.Seconds, "s"),
            { TotalHours: < 3 } => $"{(int)span.TotalMinutes}m",
            { TotalHours: < 8 } => Two((int)span.TotalHours, "h", span.Minutes, "m"),
            { TotalDays: < 2 } => $"{(int)span.TotalHours}h",
            { TotalDays: < 8 } => Two((int)span.TotalDays, "d", span.Hours, "h"),
            _ => $"{(int)span.TotalDays}d",
        };
        return text.ToString(CultureInfo.InvariantCulture);

        static FormattableString Two(int large, string unit, int small, string smallUnit) => small == 0 ? (FormattableString)$"{large}{unit}" : $"{large}{unit}{small}{smallUnit}";
    }

    public static string Time(DateTimeOffset? time) => time?.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? Unknown;

    public static string Bar(double share, int width)
    {
        var filled = (int)Math.Round(Math.Clamp(share, 0, 1) * width);
        return new string('█', filled) + new string('░', width - filled);
    }
}
